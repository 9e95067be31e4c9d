import { describe, expect, test } from '@jest/globals';
import fc from '../../support/properties.ts';
import { murmur3 } from '../../../src/domain/digest.ts';
import { ConsistentHash } from '../../../src/sdk/discovery/balancers/consistent-hash.ts';
import { hashOf } from '../../../src/sdk/discovery/hash.ts';
import { Random } from '../../support/random.ts';
import { countPicks, stubs, type Stub } from './support.ts';

const KEYS = Array.from({ length: 20_000 }, (_, n) => `customer-${n}`);

function ring(list: readonly Stub[], weights = list.map(() => 1), seed = 1) {
  const random = new Random(seed);
  const load = { outstanding: 0 };
  const balancer = new ConsistentHash<Stub>(() => random.next(), load);
  balancer.update(list, weights);
  return { balancer, load };
}

const owners = ({ balancer }: ReturnType<typeof ring>): (Stub | undefined)[] => KEYS.map((key) => balancer.pick(key));

function moved(before: readonly (Stub | undefined)[], after: readonly (Stub | undefined)[]): number {
  return before.filter((stub, n) => stub !== after[n]).length / before.length;
}

/** How many keys moved although they did not have to: they were somebody else's than `except`'s. */
function strays(before: readonly (Stub | undefined)[], after: readonly (Stub | undefined)[], except: unknown): number {
  return before.filter((stub, n) => stub !== except && after[n] !== stub).length;
}

describe('the hash', () => {
  test('is MurmurHash3 over the UTF-16LE bytes of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, seed) => {
        expect(hashOf(text, seed)).toBe(murmur3(Buffer.from(text, 'utf16le').toString('latin1'), seed));
      }),
      { seed: 6 },
    );
  });
});

describe('consistent hashing', () => {
  test.each([2, 5, 10, 50])('of %d instances one leaves: only its keys move, at most 2/n of all', (count) => {
    const list = stubs(count);
    const before = owners(ring(list));
    for (const gone of list.slice(0, 10)) {
      const after = owners(ring(list.filter((stub) => stub !== gone)));
      expect(moved(before, after)).toBeLessThanOrEqual(2 / count);
      expect(strays(before, after, gone)).toBe(0);
    }
  });

  test('one comes: it takes keys, and no key moves between others', () => {
    const list = stubs(11);
    const before = owners(ring(list.slice(0, 10)));
    const after = owners(ring(list));
    expect(moved(before, after)).toBeLessThanOrEqual(2 / 11);
    expect(strays(after, before, list[10])).toBe(0);
  });

  test('every client has the same ring, in whatever order it got the list', () => {
    const list = stubs(10);
    const weights = [1, 2, 3, 4, 5, 5, 4, 3, 2, 1];
    expect(owners(ring(list.toReversed(), weights.toReversed(), 2))).toEqual(owners(ring(list, weights, 1)));
  });

  test('shares follow weights', () => {
    const list = stubs(10);
    const weights = [100, 100, 100, 100, 100, 200, 200, 200, 200, 400];
    const { balancer } = ring(list, weights);
    let n = 0;
    const counts = countPicks(list, KEYS.length, () => balancer.pick(KEYS[n++]));
    for (const [place, weight] of weights.entries()) {
      expect((counts[place] as number) / KEYS.length / (weight / 1700)).toBeGreaterThan(0.7);
      expect((counts[place] as number) / KEYS.length / (weight / 1700)).toBeLessThan(1.3);
    }
  });

  test('where weights differ, hardly a key moves between those that stay', () => {
    const list = stubs(10);
    const weights = [90, 100, 110, 100, 100, 120, 80, 100, 100, 100];
    const before = owners(ring(list, weights));
    for (const [place, gone] of list.entries()) {
      const after = owners(ring(list.toSpliced(place, 1), weights.toSpliced(place, 1)));
      expect(moved(before, after)).toBeLessThanOrEqual(2 / 10);
      expect(strays(before, after, gone)).toBe(0);
    }
  });

  test('bounded loads: nobody has more calls under way than a quarter above its share, even with one hot key', () => {
    const list = stubs(10);
    const { balancer, load } = ring(list);
    const random = new Random(3);
    const underWay: Stub[] = [];
    let over = 0;
    for (let n = 0; n < 50_000; n++) {
      const key = random.chance(0.5) ? 'hot' : KEYS[random.below(KEYS.length)];
      const picked = balancer.pick(key) as Stub;
      load.outstanding += 1;
      if (picked.outstanding >= Math.ceil((1.25 * load.outstanding) / 10)) over += 1;
      picked.outstanding += 1;
      underWay.push(picked);
      if (underWay.length > random.below(400)) {
        const [ended] = underWay.splice(random.below(underWay.length), 1);
        (ended as Stub).outstanding -= 1;
        load.outstanding -= 1;
      }
    }
    expect(over).toBe(0);
  });

  test('those that are left out are passed over; their keys come back to them, and no other key moves', () => {
    const list = stubs(10);
    const keeping = ring(list);
    const before = owners(keeping);
    (list[2] as Stub).usable = false;
    keeping.balancer.update(
      list,
      list.map(() => 1),
    );
    const without = owners(keeping);
    expect(without.includes(list[2])).toBe(false);
    expect(strays(before, without, list[2])).toBe(0);
    (list[2] as Stub).usable = true;
    expect(moved(before, owners(keeping))).toBe(0);
  });

  test('the bound is about those that can be called: with half of them out, loads are bounded all the same', () => {
    const list = stubs(10);
    for (const stub of list.slice(0, 5)) stub.usable = false;
    const { balancer, load } = ring(list);
    for (let n = 0; n < 100; n++) {
      (balancer.pick('hot') as Stub).outstanding += 1;
      load.outstanding += 1;
    }
    expect(Math.max(...list.map(({ outstanding }) => outstanding))).toBeLessThanOrEqual(25);
  });

  test('whoever was tried is passed over; where nobody can be called, somebody is', () => {
    const list = stubs(3);
    const { balancer } = ring(list);
    const tried = new Set<unknown>();
    for (let n = 0; n < 3; n++) tried.add(balancer.pick('key', tried));
    expect(tried).toEqual(new Set(list));
    expect(balancer.pick('key', tried)).toBeUndefined();
    for (const stub of list) stub.usable = false;
    expect(list).toContain(balancer.pick('key'));
    expect(ring([]).balancer.pick('key')).toBeUndefined();
  });

  test('without a key, calls are spread', () => {
    const list = stubs(10);
    const { balancer } = ring(list);
    expect(Math.max(...countPicks(list, 10_000, () => balancer.pick()))).toBeLessThan(1500);
  });
});

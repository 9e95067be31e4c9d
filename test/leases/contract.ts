import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeasesAway, type Known, type Leases } from '../../src/leases/port.ts';
import { until } from '../store/fixtures.ts';

export interface LeasesSubject {
  /** A client of its own, as each node has one. With the prefix of another installation it finds nothing of this one's. */
  open(prefix?: string): Promise<Leases>;
  /** Whether several installations can share one server. */
  readonly prefixes: boolean;
  /** When it resolves, nobody reaches the server any more. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** The server forgets, or another one takes its place; when it resolves, there is one that answers. */
  lose(): Promise<void>;
  /** Then it comes back with nothing. */
  readonly losesAll: boolean;
  /** What is kept is as if the server's clock had been set back by so many milliseconds since, where a test can do that. */
  setBack?(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

const UNKNOWN: Pick<Known, 'age' | 'note'> = { age: undefined, note: undefined };
const keys = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name}:${i.toString(36)}`);
const heard = (key: string, age = 0) => ({ key, age });

/** What every adapter of the port of leases promises. The tests share one server. */
export function leasesContract(adapter: string, create: () => Promise<LeasesSubject>): void {
  describe(`leases contract: ${adapter}`, () => {
    let subject: LeasesSubject;
    let one: Leases;
    let two: Leases;
    beforeAll(async () => {
      subject = await create();
      one = await subject.open();
      two = await subject.open();
    }, 60_000);
    afterAll(async () => {
      await one.close();
      await two.close();
      await subject.dispose();
    });
    const readAll = async (through: Leases, all: readonly string[]): Promise<Pick<Known, 'age' | 'note'>[]> =>
      (await through.read(all)).map(({ age, note }) => ({ age, note }));
    const read = async (through: Leases, key: string): Promise<Pick<Known, 'age' | 'note'>> =>
      (await readAll(through, [key]))[0] ?? UNKNOWN;

    test('a renewal is read by another client, with an age that is right within 200 ms', async () => {
      const before = performance.now();
      await one.renew([heard('age:now'), heard('age:then', 5000)]);
      const renewed = performance.now();
      await sleep(300);
      const asked = performance.now();
      const [now, then] = await two.read(['age:now', 'age:then']);
      const least = asked - renewed - 200;
      const most = performance.now() - before + 200;
      for (const [known, age] of [
        [now, 0],
        [then, 5000],
      ] as const) {
        expect(known?.age).toBeGreaterThanOrEqual(age + least);
        expect(known?.age).toBeLessThanOrEqual(age + most);
        expect(known?.note).toBeUndefined();
      }
    });

    test('the last time that it was heard stands, in whichever order the renewals come', async () => {
      await one.renew([heard('last', 60_000)]);
      await two.renew([heard('last', 20_000)]);
      expect((await read(one, 'last')).age).toBeLessThan(30_000);
      // One that was under way for long shortens no lease.
      await one.renew([heard('last', 40_000)]);
      expect((await read(two, 'last')).age).toBeLessThan(30_000);
    });

    test('INS3 what was heard before the clock was set back says nothing, and the next renewal stands', async () => {
      if (subject.setBack === undefined) return;
      await one.renew([heard('back:a'), heard('back:b')]);
      await subject.setBack(3_600_000);
      await two.renew([heard('back:b', 1000)]);
      const renewed = performance.now();
      await sleep(300);
      const least = performance.now() - renewed;
      const [a, b] = await one.read(['back:a', 'back:b']);
      expect(a?.age).toBeUndefined();
      // It may have been heard later than it says, but no later than when it was said.
      expect(b?.age).toBeGreaterThanOrEqual(least - 200);
      expect(b?.age).toBeLessThan(20_000);
    });

    test('of one key twice in a call the younger stands', async () => {
      await one.renew([
        heard('twice:a', 50_000),
        heard('twice:a', 1000),
        heard('twice:b', 1000),
        heard('twice:b', 50_000),
      ]);
      for (const { age } of await two.read(['twice:a', 'twice:b'])) expect(age).toBeLessThan(10_000);
    });

    test('notes are kept beside the renewals, and forgotten by an empty text', async () => {
      await one.note([{ key: 'note:alone', note: 'f3' }]);
      await one.renew([heard('note:both', 1000)]);
      await two.note([{ key: 'note:both', note: 'x'.repeat(200) }]);
      expect(await read(two, 'note:alone')).toEqual({ age: undefined, note: 'f3' });
      expect(await read(one, 'note:both')).toEqual({ age: expect.any(Number), note: 'x'.repeat(200) });
      await one.renew([heard('note:both')]);
      expect((await read(two, 'note:both')).note).toBe('x'.repeat(200));
      await one.note([
        { key: 'note:both', note: 'first' },
        { key: 'note:both', note: 'f1 "ü" \\ {,}' },
        { key: 'note:alone', note: '' },
        { key: 'note:never', note: '' },
      ]);
      expect((await read(two, 'note:both')).note).toBe('f1 "ü" \\ {,}');
      expect(await readAll(two, ['note:alone', 'note:never'])).toEqual([UNKNOWN, UNKNOWN]);
      await two.note([{ key: 'note:both', note: '' }]);
      expect(await read(one, 'note:both')).toEqual({ age: expect.any(Number), note: undefined });
    });

    test('answers come in the order of the keys; what nobody has told of is unknown', async () => {
      await one.renew([heard('order:a', 10_000), heard('order:b', 20_000)]);
      const known = await readAll(two, ['order:b', 'order:none', 'order:a', 'order:b']);
      expect(known.map(({ age }) => age && Math.round(age / 10_000))).toEqual([2, undefined, 1, 2]);
      expect(known[1]).toEqual(UNKNOWN);
    });

    test('5,000 in one call', async () => {
      const many = keys('many', 5000);
      await one.renew(many.map((key, i) => heard(key, i * 100)));
      await one.note(many.map((key) => ({ key, note: key })));
      const known = await two.read(many.toReversed());
      expect(known.map(({ note }) => note)).toEqual(many.toReversed());
      known.toReversed().forEach(({ age = 0 }, i) => {
        expect(age).toBeGreaterThan(i * 100 - 200);
        expect(age).toBeLessThan(i * 100 + 25_000);
      });
      await two.forget(many);
      expect((await one.read(many)).every(({ age, note }) => age === undefined && note === undefined)).toBe(true);
    });

    test('nothing in a call is nothing to do', async () => {
      await one.renew([]);
      await one.note([]);
      await one.forget([]);
      expect(await one.read([])).toEqual([]);
    });

    test('what is forgotten is unknown, and can be heard again', async () => {
      await one.renew([heard('forget:a', 5000), heard('forget:b')]);
      await one.note([{ key: 'forget:a', note: 'f1' }]);
      await two.forget(['forget:a', 'forget:none']);
      expect(await readAll(one, ['forget:a'])).toEqual([UNKNOWN]);
      expect((await read(one, 'forget:b')).age).toBeDefined();
      await one.renew([heard('forget:a', 60_000)]);
      expect((await read(two, 'forget:a')).age).toBeGreaterThan(59_000);
    });

    test('what nobody has renewed or noted for so long is swept, and nothing else', async () => {
      await one.renew([heard('sweep:old'), heard('sweep:noted')]);
      await one.note([
        { key: 'sweep:said', note: 'f1' },
        { key: 'sweep:kept', note: 'f2' },
      ]);
      await sleep(2600);
      await two.renew([heard('sweep:kept'), heard('sweep:new')]);
      await two.note([{ key: 'sweep:noted', note: 'f3' }]);
      await one.sweep(2500);
      const known = await readAll(two, ['sweep:old', 'sweep:said', 'sweep:kept', 'sweep:new', 'sweep:noted']);
      expect(known).toEqual([
        UNKNOWN,
        UNKNOWN,
        { age: expect.any(Number), note: 'f2' },
        { age: expect.any(Number), note: undefined },
        { age: expect.any(Number), note: 'f3' },
      ]);
    });

    test('two clients renew, note and forget the same keys at once, in opposite orders', async () => {
      const all = keys('both', 500);
      for (let round = 0; round < 10; round++) {
        await Promise.all([
          one.renew(all.map((key) => heard(key, 1000))),
          two.renew(all.toReversed().map((key) => heard(key))),
          one.note(all.toReversed().map((key) => ({ key, note: `${round}` }))),
          two.forget(all.toReversed()),
        ]);
      }
      await Promise.all([
        one.renew(all.map((key) => heard(key, 50_000))),
        two.renew(all.toReversed().map((key) => heard(key))),
      ]);
      expect((await one.read(all)).filter(({ age = 50_000 }) => age >= 40_000)).toEqual([]);
    });

    test('the keys of two installations do not meet', async () => {
      if (!subject.prefixes) return;
      const other = await subject.open('elsewhere');
      await one.renew([heard('prefix:a')]);
      expect(await read(other, 'prefix:a')).toEqual(UNKNOWN);
      await other.renew([heard('prefix:a', 60_000), heard('prefix:b')]);
      await other.note([{ key: 'prefix:b', note: 'f1' }]);
      expect((await read(one, 'prefix:a')).age).toBeLessThan(30_000);
      expect(await read(one, 'prefix:b')).toEqual(UNKNOWN);
      await one.forget(['prefix:b']);
      await one.sweep(3_600_000);
      expect((await read(other, 'prefix:b')).note).toBe('f1');
      await other.close();
    });

    test('INS3 while they are away every call says so; whoever listens hears once that they are, and once that they are back', async () => {
      const client = await subject.open();
      const events: string[] = [];
      client.listen({
        onAway: (error) => events.push(`away ${error instanceof Error}`),
        onBack: () => events.push('back'),
        onLost: () => events.push('lost'),
      });
      await client.renew([heard('away:a')]);
      await client.read(['away:a']);
      expect(events).toEqual([]);
      await subject.goAway();
      for (const call of [
        () => client.renew([heard('away:a')]),
        () => client.read(['away:a']),
        () => client.note([{ key: 'away:a', note: 'f1' }]),
        () => client.forget(['away:a']),
        () => client.sweep(3_600_000),
      ]) {
        const began = performance.now();
        await expect(call()).rejects.toThrow(LeasesAway);
        expect(performance.now() - began).toBeLessThan(10_000);
      }
      expect(events).toEqual(['away true']);
      await subject.comeBack();
      // Without anybody asking.
      await until(() => events.includes('back'));
      await until(() => answers(client.renew([heard('away:a')])));
      expect((await read(client, 'away:a')).age).toBeLessThan(5000);
      expect(events.filter((event) => event !== 'lost')).toEqual(['away true', 'back']);
      await client.close();
    }, 60_000);

    test('INS3 every client hears that what they knew is lost before it is answered again, and hears it once', async () => {
      const clients = [await subject.open(), await subject.open()];
      const events: string[][] = clients.map(() => []);
      clients.forEach((client, i) => {
        client.listen({
          onAway: () => undefined,
          onBack: () => events[i]?.push('back'),
          onLost: (reason) => events[i]?.push(reason === '' ? 'without a reason' : 'lost'),
        });
      });
      const [reader, renewer] = clients as [Leases, Leases];
      await renewer.renew([heard('lost:a')]);
      await reader.read(['lost:a']);
      await subject.lose();
      await until(() => answers(renewer.renew([heard('lost:b')]).then(() => events[1]?.push('answer'))));
      await until(() => answers(reader.read(['lost:a']).then(() => events[0]?.push('answer'))));
      await renewer.renew([heard('lost:a')]);
      expect((await read(reader, 'lost:a')).age).toBeLessThan(5000);
      for (const heardOf of events) expect(heardOf.filter((event) => event !== 'back')).toEqual(['lost', 'answer']);
      for (const client of clients) await client.close();
    }, 60_000);

    test('INS3 whoever asks is told since when nothing was forgotten, whether or not it was there then', async () => {
      const sinceOf = async (through: Leases): Promise<number> => {
        await until(() => answers(through.read(['since:a'])));
        return (await through.read(['since:a']))[0]?.since ?? NaN;
      };
      const first = await sinceOf(one);
      const asked = performance.now();
      await sleep(300);
      const passed = performance.now() - asked;
      expect(await sinceOf(two)).toBeGreaterThanOrEqual(first + passed - 200);
      const before = performance.now();
      await subject.lose();
      await until(() => answers(one.renew([heard('since:a')])));
      const late = await subject.open();
      const since = await sinceOf(late);
      if (subject.losesAll) expect(since).toBeLessThanOrEqual(performance.now() - before + 200);
      // It has taken over from one that knew: nothing was forgotten that it knows of.
      else expect(since).toBeGreaterThanOrEqual(passed);
      expect(Math.abs((await sinceOf(one)) - since)).toBeLessThan(1000);
      await late.close();
    }, 60_000);

    test('one that is closed answers nothing, and tells nobody', async () => {
      const client = await subject.open();
      const events: string[] = [];
      const say = (): unknown => events.push('said');
      client.listen({ onAway: say, onBack: say, onLost: say });
      await client.renew([heard('closed:a')]);
      await client.close();
      await client.close();
      await expect(client.renew([heard('closed:a')])).rejects.toThrow(LeasesAway);
      expect(events).toEqual([]);
      await until(() => answers(one.read(['closed:a'])));
    });
  });
}

/** Whether it was answered; a refusal of another kind than "away" is an error. */
async function answers(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof LeasesAway) return false;
    throw error;
  }
}

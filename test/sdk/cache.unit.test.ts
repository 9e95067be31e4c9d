import { describe, expect, test } from '@jest/globals';
import { addTo, digestHex, emptyDigest } from '../../src/domain/digest.ts';
import { Cache, type CacheEvent } from '../../src/sdk/cache/cache.ts';

const TOPIC = 'region';
type Item = [id: string, revision: number, title?: string];

const value = ([id, revision, title = id]: Item) => ({ name: `regions/${id}`, title, revision });
const snapshot = (revision: number, items: Item[], more = false) =>
  ({ type: 'snapshot', topic: TOPIC, revision, items: items.map(value), more }) as const;
const synced = (revision: number, items: Item[]) =>
  ({ type: 'synced', topic: TOPIC, revision, digest: digestOf(items) }) as const;
const bookmark = (revision: number, items: Item[]) =>
  ({ type: 'bookmark', revision, digests: { [TOPIC]: digestOf(items) } }) as const;
const put = (item: Item) =>
  ({ op: 'put', kind: 'region', key: `regions/${item[0]}`, revision: item[1], value: value(item) }) as const;
const del = (id: string, revision: number) =>
  ({ op: 'delete', kind: 'region', key: `regions/${id}`, revision }) as const;
const change = (revision: number, ...changes: (ReturnType<typeof put> | ReturnType<typeof del>)[]) =>
  ({ type: 'change', topic: TOPIC, revision, changes }) as const;
const reset = (reason: 'epoch' | 'resync' | 'trimmed', epoch = 'e1') =>
  ({ type: 'reset', topic: TOPIC, epoch, reason }) as const;

function digestOf(items: Item[]): string {
  const digest = emptyDigest();
  for (const [id, revision] of items) addTo(digest, `regions/${id}`, revision);
  return digestHex(digest);
}

function connected(cache = new Cache(), epoch = 'e1'): Cache {
  cache.connected(epoch);
  cache.subscribed(TOPIC);
  return cache;
}

/** A cache that holds `items` at `revision`. */
function holding(revision: number, items: Item[]): Cache {
  const cache = connected();
  cache.fold(snapshot(revision, items));
  cache.fold(synced(revision, items));
  return cache;
}

const short = (events: CacheEvent[]) =>
  events.map((event) =>
    event.type === 'changes'
      ? [
          event.of,
          ...event.changes.map(
            (c) =>
              `${c.value === undefined ? 'delete' : 'put'} ${c.name}@${c.revision}${c.before === undefined ? '' : ` was ${String(c.before['title'])}`}`,
          ),
        ]
      : [event.type],
  );
const valuesOf = (cache: Cache) => cache.snapshot && [...cache.snapshot.values()];

describe('a first snapshot', () => {
  test('PUSH7: says nothing before it is whole', () => {
    const cache = connected();
    expect(cache.fold(snapshot(5, [['a1', 1]], true))).toEqual([]);
    expect(cache.snapshot).toBeUndefined();
    expect(cache.fold(snapshot(5, [['a2', 5]]))).toEqual([]);
    const events = cache.fold(
      synced(5, [
        ['a1', 1],
        ['a2', 5],
      ]),
    );
    expect(short(events)).toEqual([['loaded', 'put regions/a1@1', 'put regions/a2@5']]);
    expect(valuesOf(cache)).toEqual([value(['a1', 1]), value(['a2', 5])]);
    expect(cache.since).toEqual({ epoch: 'e1', revision: 5 });
  });

  test('of nothing', () => {
    const cache = connected();
    cache.fold(snapshot(0, []));
    expect(cache.fold(synced(0, []))).toEqual([{ type: 'changes', of: 'loaded', changes: [] }]);
    expect(cache.snapshot).toMatchObject({ size: 0, digest: '0'.repeat(16) });
    expect(cache.since).toEqual({ epoch: 'e1', revision: 0 });
  });

  test('cut off halfway, it begins again', () => {
    const cache = connected();
    cache.fold(snapshot(5, [['a1', 1]], true));
    connected(cache);
    expect(cache.since).toBeUndefined();
    cache.fold(snapshot(6, [['a2', 6]]));
    expect(short(cache.fold(synced(6, [['a2', 6]])))).toEqual([['loaded', 'put regions/a2@6']]);
  });
});

describe('changes', () => {
  test('carry what was held before, and move the position', () => {
    const cache = holding(5, [
      ['a1', 1, 'old'],
      ['a2', 5],
    ]);
    const events = cache.fold(change(8, put(['a1', 6, 'new']), put(['a3', 7]), del('a2', 8)));
    expect(short(events)).toEqual([
      ['changed', 'put regions/a1@6 was old', 'put regions/a3@7', 'delete regions/a2@8 was a2'],
    ]);
    expect(cache.since).toEqual({ epoch: 'e1', revision: 8 });
    expect(
      cache.fold(
        bookmark(9, [
          ['a1', 6],
          ['a3', 7],
        ]),
      ),
    ).toEqual([]);
    expect(cache.since).toEqual({ epoch: 'e1', revision: 9 });
  });

  test('PUSH2: none is told twice', () => {
    const cache = holding(5, [['a1', 5]]);
    cache.fold(change(6, put(['a1', 6])));
    expect(cache.fold(change(6, put(['a1', 6])))).toEqual([]);
    expect(short(cache.fold(change(7, put(['a1', 6]), put(['a2', 7]))))).toEqual([['changed', 'put regions/a2@7']]);
  });

  test('of another topic are passed over', () => {
    const cache = holding(5, [['a1', 5]]);
    expect(cache.fold({ ...change(6, del('a1', 6)), topic: 'service' })).toEqual([]);
    expect(cache.fold({ type: 'bookmark', revision: 9, digests: { service: '0'.repeat(16) } })).toEqual([]);
    expect(cache.since?.revision).toBe(5);
  });
});

describe('PUSH5: resuming', () => {
  test('goes on from the position and tells only what was missed', () => {
    const cache = holding(5, [['a1', 5]]);
    connected(cache);
    expect(cache.since).toEqual({ epoch: 'e1', revision: 5 });
    expect(short(cache.fold(change(7, put(['a2', 7]))))).toEqual([['changed', 'put regions/a2@7']]);
    expect(
      cache.fold(
        synced(7, [
          ['a1', 5],
          ['a2', 7],
        ]),
      ),
    ).toEqual([{ type: 'resumed' }]);
  });

  test('REV4: in another epoch the server resets, and the difference is told', () => {
    const cache = holding(50, [
      ['a1', 40, 'one'],
      ['a2', 50, 'two'],
      ['a3', 9, 'three'],
    ]);
    connected(cache, 'e2');
    expect(cache.since).toEqual({ epoch: 'e1', revision: 50 });
    expect(cache.fold(reset('epoch', 'e2'))).toEqual([{ type: 'reset', reason: 'epoch' }]);
    cache.fold(
      snapshot(12, [
        ['a1', 11, 'one!'],
        ['a3', 9, 'three'],
        ['a4', 12],
      ]),
    );
    const events = cache.fold(
      synced(12, [
        ['a1', 11],
        ['a3', 9],
        ['a4', 12],
      ]),
    );
    expect(short(events)).toEqual([
      ['reloaded', 'put regions/a1@11 was one', 'put regions/a4@12', 'delete regions/a2@12 was two'],
    ]);
    expect(cache.snapshot?.size).toBe(3);
    expect(cache.since).toEqual({ epoch: 'e2', revision: 12 });
  });

  test('a reset that is cut off leaves the old copy to look at, and no position to go on from', () => {
    const cache = holding(50, [['a1', 50]]);
    connected(cache, 'e2');
    cache.fold(reset('epoch'));
    cache.fold(snapshot(12, [['a4', 12]], true));
    expect(valuesOf(cache)).toEqual([value(['a1', 50])]);
    expect(cache.since).toBeUndefined();
  });
});

describe('PUSH8: digests', () => {
  test('a bookmark that does not agree asks for everything anew, once', () => {
    const cache = holding(5, [['a1', 5]]);
    expect(cache.fold(bookmark(6, [['a1', 6]]))).toEqual([
      { type: 'mismatch', revision: 6, digest: digestOf([['a1', 5]]) },
    ]);
    expect(cache.since).toBeUndefined();
    expect(cache.fold(bookmark(7, [['a1', 6]]))).toEqual([]);
    expect(short(cache.fold(change(8, put(['a2', 8]))))).toEqual([['changed', 'put regions/a2@8']]);
    expect(cache.since).toBeUndefined();
    expect(cache.fold(reset('resync'))).toEqual([{ type: 'reset', reason: 'resync' }]);
    cache.fold(
      snapshot(8, [
        ['a1', 6, 'right'],
        ['a2', 8],
      ]),
    );
    expect(
      short(
        cache.fold(
          synced(8, [
            ['a1', 6],
            ['a2', 8],
          ]),
        ),
      ),
    ).toEqual([['reloaded', 'put regions/a1@6 was a1']]);
    expect(cache.since).toEqual({ epoch: 'e1', revision: 8 });
  });

  test('a connection that breaks after a mismatch is not resumed', () => {
    const cache = holding(5, [['a1', 5]]);
    cache.fold(bookmark(6, []));
    connected(cache);
    expect(cache.since).toBeUndefined();
  });

  test('a resumed copy that lacks something is found out', () => {
    const cache = holding(5, [['a1', 5]]);
    connected(cache);
    expect(
      short(
        cache.fold(
          synced(7, [
            ['a1', 5],
            ['a2', 7],
          ]),
        ),
      ),
    ).toEqual([['mismatch']]);
  });

  test('so is a snapshot, which nobody is shown then', () => {
    const cache = connected();
    cache.fold(snapshot(5, [['a1', 5]]));
    expect(short(cache.fold(synced(5, [])))).toEqual([['mismatch']]);
    expect(cache.snapshot).toBeUndefined();
  });

  test('who carries none is believed', () => {
    const cache = holding(5, [['a1', 5]]);
    connected(cache);
    cache.fold(change(7, put(['a2', 7])));
    expect(short(cache.fold({ type: 'synced', topic: TOPIC, revision: 8 }))).toEqual([['resumed']]);
    expect([cache.current, cache.since?.revision]).toEqual([true, 8]);
  });

  test('deleting and putting the same keys in any order ends in the same digest', () => {
    const cache = holding(3, [
      ['a1', 1],
      ['a2', 2],
      ['a3', 3],
    ]);
    cache.fold(change(7, del('a2', 4), put(['a1', 5]), put(['a2', 6]), del('a3', 7)));
    expect(
      cache.fold(
        bookmark(7, [
          ['a2', 6],
          ['a1', 5],
        ]),
      ),
    ).toEqual([]);
  });
});

describe('a copy from elsewhere', () => {
  const kept = (digest: string) => ({
    server: 's',
    caller: { kind: 'nobody', key: '' } as const,
    position: { epoch: 'e1', revision: 5 },
    digest,
    items: [value(['a1', 5])],
  });

  test('is begun with and gone on from', () => {
    const cache = new Cache();
    expect(cache.restore(kept(digestOf([['a1', 5]])))).toBe(true);
    expect([cache.current, cache.since, cache.snapshot?.size]).toEqual([false, { epoch: 'e1', revision: 5 }, 1]);
    connected(cache);
    expect(short(cache.fold(change(6, put(['a1', 6]))))).toEqual([['changed', 'put regions/a1@6 was a1']]);
  });

  test('that is not what it says is none, and what is here already is better than any', () => {
    const cache = new Cache();
    expect(cache.restore(kept(digestOf([['a1', 4]])))).toBe(false);
    expect(cache.snapshot).toBeUndefined();
    expect(holding(7, []).restore(kept(digestOf([['a1', 5]])))).toBe(false);
  });
});

describe('snapshots', () => {
  test('each stays what it was, over more changes than are remembered', () => {
    const items = Array.from({ length: 100 }, (_, i): Item => [`a${i}`, 1]);
    const cache = holding(100, items);
    const all = [];
    for (let revision = 101; revision < 1000; revision++) {
      const id = `a${(revision * 7) % 130}`;
      cache.fold(change(revision, revision % 3 === 0 ? del(id, revision) : put([id, revision])));
      const { snapshot: now } = cache;
      all.push({
        now,
        was: valuesOf(cache)
          ?.map((one) => `${one.name}@${one.revision}`)
          .sort(),
        digest: now?.digest,
      });
    }
    for (const { now, was, digest } of all) {
      const is = Array.from(now?.values() ?? [], (one) => `${one.name}@${one.revision}`).sort();
      expect(is).toEqual(was);
      expect([now?.size, now?.digest]).toEqual([is.length, digest]);
      expect(is.every((text) => now?.has(text.split('@')[0] ?? '') === true)).toBe(true);
      const sum = emptyDigest();
      for (const one of now?.values() ?? []) addTo(sum, one.name, one.revision);
      expect(digestHex(sum)).toBe(digest);
    }
  });

  test('share what has not changed, also with the copy that takes their place', () => {
    const cache = holding(5, [
      ['a1', 1],
      ['a2', 5],
    ]);
    const before = cache.snapshot;
    cache.fold(reset('resync'));
    expect(cache.snapshot).toBe(before);
    cache.fold(
      snapshot(6, [
        ['a1', 1],
        ['a2', 6],
      ]),
    );
    cache.fold(
      synced(6, [
        ['a1', 1],
        ['a2', 6],
      ]),
    );
    expect(cache.snapshot?.get('regions/a1')).toBe(before?.get('regions/a1'));
    expect(cache.snapshot?.get('regions/a2')).not.toBe(before?.get('regions/a2'));
  });
});

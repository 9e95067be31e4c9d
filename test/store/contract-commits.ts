import { expect, test } from '@jest/globals';
import type { Entry } from '../../src/domain/item.ts';
import { StoreUnavailable, type Store } from '../../src/store/port.ts';
import type { Opened } from './contract.ts';
import { append, byName, entry, isGapless, itemNamed, put, region, remove, replay } from './fixtures.ts';
import { entriesSince } from '../support/entries-since.ts';

const large = (r: number): Entry => {
  return entry(
    r,
    Array.from({ length: 5000 }, (_, i) => put(`bulk-${i}`, r, 'x'.repeat(400))),
  );
};

/** What a commit is (REV1, REV2). */
export function commitContract(db: Opened): void {
  test('REV1 a new store stands at revision 0 with an empty log', async () => {
    const { epoch, ...rest } = await db.store.head();
    expect(rest).toEqual({ revision: 0, trimmed: 0 });
    expect(epoch).not.toBe('');
    expect(await db.store.load()).toEqual({ head: { epoch, revision: 0, trimmed: 0 }, items: [] });
    expect(await entriesSince(db.store, 0)).toEqual([]);
  });

  test('REV1 a commit moves the head by the number of its entries, and they read back as they were', async () => {
    const { revision } = await db.store.head();
    const entries = await append(
      db.store,
      (r) => entry(r, [put('one', r, 'first'), put('two', r)], { author: 'alice', at: 1_795_000_000_123 }),
      (r) => entry(r, [{ op: 'put', item: region('one', r, 'second', { a: 'b' }), was: {} }], { author: 'bob' }),
      (r) => entry(r, [remove('two', { tier: 'gold' })]),
    );
    expect((await db.peer.head()).revision).toBe(revision + 3);
    expect(await entriesSince(db.peer, revision)).toEqual(entries);
  });

  test('REV1 of two commits on one base exactly one wins and the other writes nothing', async () => {
    for (let round = 0; round < 25; round++) {
      const { epoch, revision: base } = await db.store.head();
      const batches = ['left', 'right'].map((author) => ({
        epoch,
        base,
        entries: [entry(base + 1, [put(`${author}-${round}`, base + 1)], { author })],
      }));
      const [left, right] = await Promise.all(
        batches.map((batch, i) => (i === round % 2 ? db.store : db.peer).commit(batch)),
      );
      expect([left, right].filter(Boolean)).toHaveLength(1);
      const log = await entriesSince(db.store, base);
      expect(log.map(({ author }) => author)).toEqual([left ? 'left' : 'right']);
      expect(await itemNamed(db.store, left ? `right-${round}` : `left-${round}`)).toBeUndefined();
    }
  });

  test('REV1 concurrent optimistic writers: every revision once, none missing, log order is commit order', async () => {
    const from = (await db.store.head()).revision;
    const acknowledged: Entry[] = [];
    const write = async (author: string, through: Store): Promise<void> => {
      for (let n = 0; n < 40; n++) {
        const makers = Array.from({ length: 1 + (n % 3) }, () => (r: number) => {
          return entry(r, [put('contended', r, author), put(`${author}-${n}`, r)], { author });
        });
        acknowledged.push(...(await append(through, ...makers)));
      }
    };
    await Promise.all([
      write('anne', db.store),
      write('bill', db.peer),
      write('cleo', db.store),
      write('dora', db.peer),
    ]);
    const log = await entriesSince(db.store, from);
    expect(isGapless(log, from)).toBe(true);
    expect(log).toEqual(acknowledged.toSorted((a, b) => a.revision - b.revision));
    expect((await itemNamed(db.store, 'contended'))?.revision).toBe(log.at(-1)?.revision);
  });

  test('REV2 a commit on a base that is not the head, or in another epoch, writes nothing', async () => {
    const before = await db.store.load();
    const { epoch, revision } = before.head;
    const batch = (base: number, of = epoch) => ({
      epoch: of,
      base,
      entries: [entry(base + 1, [put('stray', base + 1)])],
    });
    expect(await db.store.commit(batch(revision - 1))).toBe(false);
    expect(await db.store.commit(batch(revision + 1))).toBe(false);
    expect(await db.store.commit(batch(revision, 'another'))).toBe(false);
    expect(await db.store.load()).toEqual(before);
    expect(await entriesSince(db.store, revision - 1)).toHaveLength(1);
  });

  test('REV2 a batch that the database refuses leaves nothing behind, and the error is not "unavailable"', async () => {
    const before = await db.store.load();
    const { epoch, revision: base } = before.head;
    const broken = { ...region('broken', base + 2), json: 'this is not JSON' };
    const entries = [entry(base + 1, [put('whole', base + 1)]), entry(base + 2, [{ op: 'put', item: broken }])];
    const refused = await db.store.commit({ epoch, base, entries }).catch((error: unknown) => error);
    expect(refused).toHaveProperty('message', expect.stringContaining('json'));
    expect(refused).not.toBeInstanceOf(StoreUnavailable);
    expect(await db.store.load()).toEqual(before);
    await append(db.store, (r) => entry(r, [put('whole', r)]));
  });

  test('REV2 entries that do not continue the base are refused before anything is sent', async () => {
    const { epoch, revision: base } = await db.store.head();
    await expect(db.store.commit({ epoch, base, entries: [entry(base + 2, [])] })).rejects.toThrow(RangeError);
    await expect(db.store.commit({ epoch, base, entries: [] })).rejects.toThrow(RangeError);
  });

  test('REV2 a name that a batch touches several times ends in its last state', async () => {
    await append(
      db.store,
      (r) => entry(r, [put('thrice', r, '1'), put('gone', r), put('back', r)]),
      (r) => entry(r, [put('thrice', r, '2'), remove('gone'), remove('back'), put('brief', r)]),
      (r) => entry(r, [put('thrice', r, '3'), put('back', r, 'again'), remove('brief'), remove('never-there')]),
    );
    expect(await itemNamed(db.store, 'thrice')).toMatchObject({ value: { title: '3' } });
    expect(await itemNamed(db.store, 'back')).toMatchObject({ value: { title: 'again' } });
    expect(await itemNamed(db.store, 'gone')).toBeUndefined();
    expect(await itemNamed(db.store, 'brief')).toBeUndefined();
  });

  test('REV2 what was deleted can be made again', async () => {
    for (const title of ['first', 'second']) {
      await append(db.store, (r) => entry(r, [put('phoenix', r, title)]));
      expect(await itemNamed(db.store, 'phoenix')).toMatchObject({ value: { title } });
      await append(db.store, (r) => entry(r, [remove('phoenix')]));
      expect(await itemNamed(db.store, 'phoenix')).toBeUndefined();
    }
  });

  test('REV2 text is kept to the letter, and no text fails the other commands of its batch', async () => {
    const titles = [
      '"quoted" \'single\' \\ back\\\\slash',
      '{a,"b",NULL}',
      'tab\t line\n\r',
      'žluť 漢字 🚦 \u2028',
      '\u0000 nul',
      '\ud800 lone',
    ];
    const from = (await db.store.head()).revision;
    const makers = titles.map((title, i) => (r: number) => entry(r, [put(`text-${i}`, r, title)], { author: title }));
    const entries = await append(db.store, ...makers);
    const log = await entriesSince(db.store, from);
    expect(log.map(({ changes }) => changes)).toEqual(entries.map(({ changes }) => changes));
    expect(log.map(({ author }) => author)).toEqual([...titles.slice(0, 4), '\ufffd nul', '\ufffd lone']);
    for (const [i, title] of titles.entries()) {
      const item = await itemNamed(db.store, `text-${i}`);
      expect(item).toEqual(region(`text-${i}`, from + 1 + i, title));
    }
  });

  test('REV2 one revision of 5,000 changes is written and read in one piece', async () => {
    const [first] = await append(db.store, large);
    const began = performance.now();
    const [second] = await append(db.store, large);
    // The goal is 500 ms on an idle machine; this only catches what is slow by nature.
    expect(performance.now() - began).toBeLessThan(5000);
    const log = await entriesSince(db.store, (first?.revision ?? 0) - 1);
    expect(log).toEqual([first, second]);
    const { items } = await db.store.load();
    expect(items.filter(({ name }) => name.startsWith('regions/bulk-'))).toHaveLength(5000);
    await append(db.store, (r) =>
      entry(
        r,
        Array.from({ length: 5000 }, (_, i) => remove(`bulk-${i}`)),
      ),
    );
    expect((await db.store.load()).items.some(({ name }) => name.startsWith('regions/bulk-'))).toBe(false);
  });

  test('REV2 a batch may hold thousands of entries', async () => {
    const from = (await db.store.head()).revision;
    await append(db.store, ...Array.from({ length: 3000 }, () => (r: number) => entry(r, [put('counter', r)])));
    expect((await db.store.head()).revision).toBe(from + 3000);
    expect((await itemNamed(db.store, 'counter'))?.revision).toBe(from + 3000);
  });

  test('REV2 load() is the replay of the log, and keeps the encoding', async () => {
    const { head, items } = await db.store.load();
    const log = await entriesSince(db.store, 0);
    expect(isGapless(log, 0)).toBe(true);
    expect(log).toHaveLength(head.revision);
    expect(byName(items)).toEqual(replay(log));
    expect(items.every(({ json, value }) => json === JSON.stringify(value))).toBe(true);
  });

  test('REV2 load() is one snapshot while others commit', async () => {
    const start = await db.store.load();
    const stop = new AbortController();
    const writer = (async () => {
      for (let n = 0; !stop.signal.aborted; n++) {
        await append(db.peer, (r) =>
          entry(r, [put('snap-a', r), put('snap-b', r), n % 2 ? remove('snap-c') : put('snap-c', r)]),
        );
      }
    })();
    for (let round = 0; round < 15; round++) {
      const { head, items } = await db.store.load();
      const revisionOf = (id: string) => items.find(({ name }) => name === `regions/${id}`)?.revision;
      expect(revisionOf('snap-a')).toBe(revisionOf('snap-b'));
      const log = await entriesSince(db.store, start.head.revision);
      const upToHead = log.filter(({ revision }) => revision <= head.revision);
      expect(byName(items)).toEqual(replay(upToHead, start.items));
    }
    stop.abort();
    await writer;
  }, 60_000);
}

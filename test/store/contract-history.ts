import { expect, jest, test } from '@jest/globals';
import { StoreUnavailable } from '../../src/store/port.ts';
import type { Opened } from './contract.ts';
import { append, entry, everything, isGapless, put } from './fixtures.ts';
import { entriesSince } from '../support/entries-since.ts';

/** Of the entries whose age counts: no two clocks of this machine differ by as much as half of it. */
const APART_MS = 10_000;
/** Nothing is so old. */
const FOREVER_MS = Number.MAX_SAFE_INTEGER;

/** By the clock of this machine, which is the database's too. */
const ageOf = (time: number): number => Date.now() - time;

/** How the log is read, trimmed and begun anew (REV4). */
export function historyContract(db: Opened): void {
  test('REV4 changesSince answers what is above a revision, within its limits, whole, at least one', async () => {
    const from = (await db.store.head()).revision;
    await append(
      db.store,
      ...Array.from({ length: 10 }, (_, i) => (r: number) => entry(r, [put(`limit-${i}`, r, 'x'.repeat(1000))])),
    );
    const revisions = async (since: number, entries: number, bytes: number) =>
      (await entriesSince(db.store, since, { entries, bytes })).map(({ revision }) => revision - from);
    expect(await revisions(from + 10, 100, 1e9)).toEqual([]);
    expect(await revisions(from + 7, 100, 1e9)).toEqual([8, 9, 10]);
    expect(await revisions(from, 4, 1e9)).toEqual([1, 2, 3, 4]);
    expect(await revisions(from, 100, 3600)).toEqual([1, 2, 3]);
    expect(await revisions(from + 2, 100, 1)).toEqual([3]);
    expect(await revisions(from + 2, 0, 0)).toEqual([3]);
    expect(await revisions(from + 8, Infinity, Infinity)).toEqual([9, 10]);
    expect(await revisions(from + 1000, 100, 1e9)).toEqual([]);
  });

  test('REV2 REV4 everything is there after it was closed and opened again', async () => {
    const before = { loaded: await db.store.load(), log: await entriesSince(db.store, 0) };
    await db.close();
    await db.open();
    expect(await db.store.load()).toEqual(before.loaded);
    expect(await entriesSince(db.store, 0)).toEqual(before.log);
  });

  test('REV4 a new epoch keeps the revision, and a commit decided in the old one writes nothing', async () => {
    const old = await db.store.head();
    const renewed = await db.peer.newEpoch();
    expect(renewed).toEqual({ ...old, epoch: renewed.epoch });
    expect(renewed.epoch).not.toBe(old.epoch);
    expect(await db.store.head()).toEqual(renewed);
    const entries = [entry(old.revision + 1, [put('late', old.revision + 1)])];
    expect(await db.store.commit({ epoch: old.epoch, base: old.revision, entries })).toBe(false);
    expect(await db.store.commit({ epoch: renewed.epoch, base: old.revision, entries })).toBe(true);
  });

  test('REV4 the log of another epoch than a reader asks for is not read to it', async () => {
    const [first] = await append(
      db.store,
      (r) => entry(r, [put('old', r)]),
      (r) => entry(r, [put('old', r)]),
    );
    const { epoch } = await db.store.head();
    const position = { epoch, revision: (first?.revision ?? 0) - 1 };
    expect(await db.peer.changesSince(position, everything)).toHaveLength(2);
    const renewed = await db.peer.newEpoch();
    await append(db.store, (r) => entry(r, [put('new', r)]));
    for (const store of [db.store, db.peer]) {
      expect(await store.changesSince(position, everything)).toEqual([]);
      expect(await store.changesSince({ ...position, epoch: renewed.epoch }, everything)).toHaveLength(3);
    }
  });

  test('REV4 a commit that races with a new epoch is in the old one or is refused', async () => {
    for (let round = 0; round < 20; round++) {
      const { epoch, revision: base } = await db.store.head();
      const entries = [entry(base + 1, [put('racer', base + 1)])];
      const [won, renewed] = await Promise.all([db.store.commit({ epoch, base, entries }), db.peer.newEpoch()]);
      const after = await db.store.head();
      expect(after.epoch).toBe(renewed.epoch);
      expect(after.revision).toBe(won ? base + 1 : base);
    }
  });

  test('REV4 trimming by age drops the oldest entries, and the head tells', async () => {
    const from = (await db.store.head()).revision;
    const time = Date.now() + 1_000_000;
    const at = (n: number) => time + n * APART_MS;
    await append(db.store, ...[1, 2, 3, 4].map((n) => (r: number) => entry(r, [put('aged', r)], { at: at(n) })));
    const before = await db.store.load();
    expect(await db.store.trim({ maxAgeMs: ageOf(at(2.5)), maxBytes: 1e9 })).toEqual({
      ...before.head,
      trimmed: from + 2,
    });
    expect(await db.peer.head()).toEqual({ ...before.head, trimmed: from + 2 });
    expect(isGapless(await entriesSince(db.store, 0), from + 2)).toBe(true);
    expect((await db.store.load()).items).toEqual(before.items);
    // Everything is too old now, and the newest entry stays all the same.
    expect((await db.store.trim({ maxAgeMs: ageOf(at(99)), maxBytes: 1e9 })).trimmed).toBe(from + 3);
    expect((await db.store.trim({ maxAgeMs: ageOf(at(99)), maxBytes: 1e9 })).trimmed).toBe(from + 3);
  });

  test('REV4 trimming by age stops at the first entry that is young enough, whatever comes after it', async () => {
    const from = (await db.store.head()).revision;
    const time = Date.now() + 20_000_000;
    const at = (n: number) => time + n * APART_MS;
    await append(db.store, ...[1, 2, 4, 3, 5].map((n) => (r: number) => entry(r, [put('aged', r)], { at: at(n) })));
    expect((await db.store.trim({ maxAgeMs: ageOf(at(3.5)), maxBytes: Infinity })).trimmed).toBe(from + 2);
  });

  test('REV4 whose clock is ahead trims no more than anybody else: ages are by the clock of the database', async () => {
    const [first] = await append(
      db.store,
      ...Array.from({ length: 3 }, () => (r: number) => entry(r, [put('young', r)], { at: Date.now() })),
    );
    const { trimmed } = await db.store.trim({ maxAgeMs: FOREVER_MS, maxBytes: 1e9 });
    const skewed = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 365 * 24 * 3_600_000);
    try {
      expect((await db.store.trim({ maxAgeMs: 3_600_000, maxBytes: 1e9 })).trimmed).toBe(trimmed);
    } finally {
      skewed.mockRestore();
    }
    expect(trimmed).toBeLessThan(first?.revision ?? 0);
  });

  test('REV4 trimming by size keeps the newest entries that fit, and always the newest', async () => {
    const [, , , last] = await append(
      db.store,
      ...Array.from({ length: 4 }, () => (r: number) => entry(r, [put('sized', r, 'x'.repeat(1000))])),
    );
    const newest = last?.revision ?? 0;
    const trimTo = async (maxBytes: number) => (await db.store.trim({ maxAgeMs: FOREVER_MS, maxBytes })).trimmed;
    expect(await trimTo(2500)).toBe(newest - 2);
    expect(await trimTo(2500)).toBe(newest - 2);
    expect(await trimTo(0)).toBe(newest - 1);
    expect((await entriesSince(db.store, 0)).map(({ revision }) => revision)).toEqual([newest]);
    expect((await db.peer.head()).trimmed).toBe(newest - 1);
  });

  test('REV4 while the log is trimmed and written, a reader always finds what the head promised', async () => {
    await append(db.store, ...Array.from({ length: 5000 }, () => (r: number) => entry(r, [put('many', r)])));
    const done = new AbortController();
    const trimming = (async () => {
      for (let step = 4; step >= 0; step--) await db.peer.trim({ maxAgeMs: FOREVER_MS, maxBytes: step * 200_000 });
      done.abort();
    })();
    const writing = (async () => {
      while (!done.signal.aborted) await append(db.store, (r) => entry(r, [put('many', r)]));
    })();
    let reads = 0;
    while (!done.signal.aborted || reads === 0) {
      const before = await db.store.head();
      const [first] = await db.store.changesSince({ ...before, revision: 0 }, { entries: 1, bytes: 1 });
      const after = await db.store.head();
      expect(first?.revision).toBeGreaterThan(before.trimmed);
      expect(first?.revision).toBeLessThanOrEqual(after.trimmed + 1);
      reads++;
    }
    await Promise.all([trimming, writing]);
  });

  test('a closed store rejects with StoreUnavailable, and closing it twice is harmless', async () => {
    await db.close();
    await expect(db.store.head()).rejects.toThrow(StoreUnavailable);
    await expect(db.store.load()).rejects.toThrow(StoreUnavailable);
    await expect(db.store.commit({ epoch: '', base: 0, entries: [entry(1, [])] })).rejects.toMatchObject({
      name: 'StoreUnavailable',
      outcomeUnknown: false,
    });
    await db.close();
    await db.open();
  });
}

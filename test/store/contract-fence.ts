import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditEntry } from '../../src/domain/audit.ts';
import { NO_MEMBERSHIP } from '../../src/domain/membership.ts';
import type { Store } from '../../src/store/port.ts';
import type { Opened } from './contract.ts';
import { append, entry, isGapless, itemNamed, put, remove } from './fixtures.ts';
import { entriesSince } from '../support/entries-since.ts';

const told = (after: number): AuditEntry => ({
  at: 1_795_000_000_000,
  category: 'change',
  subject: 'signalbox',
  action: 'instance.status',
  target: 'regions/fenced',
  after,
  result: 'created',
});

/** Commits that are held against the term of the membership. */
export function fenceContract(db: Opened): void {
  test('REV2 a commit under a term that is over, or not yet begun, writes nothing: no rows, log, audit, or counter', async () => {
    await append(db.store, (r) => entry(r, [put('kept', r)]));
    const { term } = await db.store.nodes.membership();
    expect(await db.store.nodes.change({ ...NO_MEMBERSHIP, term: term + 1, members: ['a'] })).toBe(true);
    const before = await db.store.load();
    const audited = await db.store.readAudit({}, { limit: 1000 });
    const { epoch, revision: base } = before.head;
    const decided = (fence: number, audit: readonly AuditEntry[] = []) => ({
      epoch,
      base,
      entries: [entry(base + 1, [put('fenced', base + 1), remove('kept')])],
      audit,
      fence,
    });
    for (const fence of [term, term + 2]) {
      expect(await db.store.commit(decided(fence))).toBe(false);
      expect(await db.peer.commit(decided(fence, [told(base + 1)]))).toBe(false);
    }
    expect(await db.store.load()).toEqual(before);
    expect(await entriesSince(db.store, base)).toEqual([]);
    expect(await db.store.readAudit({}, { limit: 1000 })).toEqual(audited);
    expect(await db.store.commit({ ...decided(term + 1), base: base - 1, entries: [entry(base, [])] })).toBe(false);

    const whole = decided(term + 1, [told(base + 1)]);
    expect(await db.store.commit(whole)).toBe(true);
    expect(await entriesSince(db.peer, base)).toEqual(whole.entries);
    expect(await itemNamed(db.peer, 'kept')).toBeUndefined();
    expect(await db.peer.readAudit({}, { limit: 1000 })).toHaveLength(audited.length + 1);
    // Nothing is removed, nothing is audited: the statement that is kept under a name.
    for (let n = 1; n < 8; n++) {
      const next = { epoch, base: base + n, entries: [entry(base + n + 1, [put('fenced', base + n + 1)])] };
      expect(await db.store.commit({ ...next, fence: term })).toBe(false);
      expect(await db.store.commit({ ...next, fence: term + 1 })).toBe(true);
    }
  });

  test('REV1 memberships that change while others commit under their terms: each commit is of the term that stood', async () => {
    const stop = new AbortController();
    const { term: first } = await db.store.nodes.membership();
    const from = (await db.store.head()).revision;
    let last = first;
    const changing = (async () => {
      while (!stop.signal.aborted) {
        if (await db.peer.nodes.change({ ...NO_MEMBERSHIP, term: last + 1 })) last += 1;
        await sleep(5);
      }
    })();
    const outcomes = { held: 0, committed: 0 };
    // Each claims the terms one after the other, as long as they let it, and never one that it knows to be over.
    const write = async (through: Store): Promise<void> => {
      for (let n = 0; n < 60; n++) {
        const [{ epoch, revision: base }, { term }] = [await through.head(), await through.nodes.membership()];
        const entries = [entry(base + 1, [put('claimed', base + 1)], { author: `${term}` })];
        const done = await through.commit({ epoch, base, entries, fence: term });
        outcomes[done ? 'committed' : 'held'] += 1;
      }
    };
    await Promise.all([write(db.store), write(db.peer)]);
    stop.abort();
    await changing;
    const log = await entriesSince(db.store, from);
    expect(log).toHaveLength(outcomes.committed);
    expect(isGapless(log, from)).toBe(true);
    const terms = log.map(({ author }) => Number(author));
    // A term is never committed under after a later one was.
    expect(terms).toEqual(terms.toSorted((a, b) => a - b));
    expect(last).toBeGreaterThan(first);
  });
}

import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_MEMBERSHIP, type Membership } from '../../src/domain/membership.ts';
import type { Nodes, Roll, Store } from '../../src/store/port.ts';
import { entry, put } from './fixtures.ts';

const node = (id: string, state: Record<string, unknown> = {}) => ({ id, name: `host-${id}`, version: '1.2.3', state });
const ids = ({ nodes }: Roll): string[] => nodes.map(({ id }) => id);
const rowOf = (roll: Roll, id: string) => roll.nodes.find((row) => row.id === id);

export interface NodesSubject {
  readonly store: Pick<Store, 'nodes' | 'commit' | 'head'>;
  /** Another node's store where there can be one. */
  readonly peer: Pick<Store, 'nodes'>;
  /** What was heard before is heard so much earlier, for nodes whose ids begin so. */
  makeOlder(prefix: string, ms: number): Promise<void>;
}

/** How nodes know each other. The first test wants a database in which nobody has shared any work. */
export function nodesContract(db: NodesSubject): void {
  const one = (): Nodes => db.store.nodes;
  const two = (): Nodes => db.peer.nodes;

  test('before anybody shares the work there is a membership that says so', async () => {
    expect(await one().membership()).toEqual(NO_MEMBERSHIP);
    expect((await two().beat(node('first'))).membership).toEqual(NO_MEMBERSHIP);
    expect(await one().change({ ...NO_MEMBERSHIP, term: 2 })).toBe(false);
    expect(await one().membership()).toEqual(NO_MEMBERSHIP);
  });

  test('a heartbeat writes its own row and reads everyone in one go, by one clock', async () => {
    const first = await one().beat(node('beat-a', { revision: 3, text: 'ü "\\' }));
    expect(rowOf(first, 'beat-a')).toEqual({
      ...node('beat-a', { revision: 3, text: 'ü "\\' }),
      startedAt: expect.any(Number),
      heardAt: expect.any(Number),
    });
    const second = await two().beat(node('beat-b'));
    expect(ids(second)).toEqual(expect.arrayContaining(['beat-a', 'beat-b']));
    expect(ids(second)).toEqual(ids(second).toSorted());
    expect(rowOf(second, 'beat-a')).toEqual(rowOf(first, 'beat-a'));
    await sleep(20);
    const third = await one().beat(node('beat-a', { revision: 4 }));
    const was = rowOf(first, 'beat-a');
    const is = rowOf(third, 'beat-a');
    expect(is).toMatchObject({ state: { revision: 4 }, startedAt: was?.startedAt });
    expect(is?.heardAt).toBeGreaterThanOrEqual((was?.heardAt ?? 0) + 15);
    expect(ids(third).filter((id) => id === 'beat-a')).toHaveLength(1);
  });

  test('the clock never goes back, and what was heard is never later than it', async () => {
    let last = 0;
    for (let n = 0; n < 20; n++) {
      const roll = await [one(), two()][n % 2]!.beat(node(`clock-${n % 2}`));
      expect(roll.clock).toBeGreaterThanOrEqual(last);
      last = roll.clock;
      for (const { startedAt, heardAt } of roll.nodes) {
        expect(startedAt).toBeLessThanOrEqual(heardAt);
        // Rows are kept to the millisecond, rounded.
        expect(heardAt).toBeLessThanOrEqual(roll.clock + 1);
      }
      expect(rowOf(roll, `clock-${n % 2}`)?.heardAt).toBeGreaterThan(roll.clock - 1000);
    }
  });

  test('what a node of another version says of itself is kept to the letter', async () => {
    const state = { later: { deep: [1, null, { 'a b': true }], big: 2 ** 52 }, degraded: ['redis'] };
    await one().beat(node('state', state));
    expect(rowOf(await two().beat(node('state-reader')), 'state')?.state).toEqual(state);
  });

  test('who was not heard of for an hour is forgotten, and may come back', async () => {
    await one().beat(node('gone-a'));
    await one().beat(node('gone-b'));
    const before = await one().beat(node('other'));
    await db.makeOlder('gone-', 3_590_000);
    expect(ids(await two().beat(node('other')))).toEqual(expect.arrayContaining(['gone-a', 'gone-b']));
    await db.makeOlder('gone-', 11_000);
    const roll = await two().beat(node('other'));
    expect(ids(roll)).toEqual(ids(before).filter((id) => !id.startsWith('gone-')));
    const back = await one().beat(node('gone-a'));
    expect(rowOf(back, 'gone-a')?.startedAt).toBeGreaterThanOrEqual(before.clock);
    expect(ids(back)).not.toContain('gone-b');
  });

  test('who was heard in what is now the future, since the clock was set back, ages from now on', async () => {
    await one().beat(node('ahead'));
    await db.makeOlder('ahead', -3_600_000);
    const first = await two().beat(node('other'));
    const heardAt = rowOf(first, 'ahead')?.heardAt ?? 0;
    expect(Math.abs(heardAt - first.clock)).toBeLessThan(1000);
    await sleep(300);
    const second = await two().beat(node('other'));
    expect(second.clock - (rowOf(second, 'ahead')?.heardAt ?? 0)).toBeGreaterThanOrEqual(250);
  });

  test('who leaves is in no roll any more', async () => {
    await one().beat(node('leaver'));
    expect(ids(await two().beat(node('stays')))).toContain('leaver');
    await one().leave('leaver');
    await one().leave('leaver');
    expect(ids(await two().beat(node('stays')))).not.toContain('leaver');
  });

  test('a membership is read as it was written, by its own call and with each heartbeat', async () => {
    const { term } = await one().membership();
    const next: Membership = {
      term: term + 1,
      members: ['a', 'b'],
      before: ['a'],
      since: 1_795_000_000_123,
      gapFrom: 1_795_000_000_100,
      undecidedFrom: 1_795_000_000_090,
      awakeSince: 1_794_000_000_000,
      withoutLeases: ['b'],
      leasesRunSince: 1_795_000_000_050,
    };
    expect(await one().change(next)).toBe(true);
    expect(await two().membership()).toEqual(next);
    expect((await two().beat(node('a'))).membership).toEqual(next);
    expect(await two().change({ ...next, term: term + 3 })).toBe(false);
    expect(await two().change({ ...next, members: [] })).toBe(false);
    expect(await one().membership()).toEqual(next);
  });

  test('of 20 who change it at once exactly one does, every time', async () => {
    for (let round = 0; round < 10; round++) {
      const { term } = await one().membership();
      const changes = Array.from({ length: 20 }, (_, i) => ({
        ...NO_MEMBERSHIP,
        term: term + 1,
        members: [`winner-${round}-${i}`],
      }));
      const won = await Promise.all(changes.map((next, i) => [one(), two()][i % 2]!.change(next)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await two().membership()).toEqual(changes[won.indexOf(true)]);
    }
  });

  test('the term that commits are held against moves with it', async () => {
    const { term } = await one().membership();
    const commit = async (fence: number): Promise<boolean> => {
      const { epoch, revision: base } = await db.store.head();
      return db.store.commit({ epoch, base, entries: [entry(base + 1, [put('held', base + 1)])], fence });
    };
    expect(await commit(term)).toBe(true);
    expect(await commit(term + 1)).toBe(false);
    await two().change({ ...NO_MEMBERSHIP, term: term + 1 });
    expect(await commit(term)).toBe(false);
    expect(await commit(term + 1)).toBe(true);
  });
}

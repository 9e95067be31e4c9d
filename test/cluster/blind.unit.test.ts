import { describe, expect, test } from '@jest/globals';
import { joinCluster, type Cluster } from '../../src/cluster/cluster.ts';
import { MemoryNodes } from '../support/memory-nodes.ts';

const BEATS_MS = 500;

/** A node that is ready, and another one that can take over; each beats when it is told to. */
function open() {
  let now = 50_000;
  const nodes = new MemoryNodes();
  nodes.clock = () => now + 1_700_000_000_000;
  const head = { epoch: 'e', revision: 1, trimmed: 0, at: 0 };
  /** Nodes that cannot read the log. */
  const blind = new Set<string>();
  const join = (id: string) =>
    joinCluster({
      me: { id, name: id, version: '1' },
      state: { ready: true, head },
      levels: () => ({ watchers: 0, subscriptions: 0, instances: 0 }),
      now: () => now,
      clock: () => now,
      store: { nodes, load: () => Promise.reject(new Error('nothing is to be loaded')) },
      timeoutMs: 3000,
      takesPart: () => true,
      leases: () => 'here',
      leaseStore: 'database',
      selfCheck: {
        digest: { at: () => undefined, latest: undefined },
        catchUp: () => (blind.has(id) ? Promise.reject(new Error('no connection is left')) : Promise.resolve()),
        fence: () => undefined,
        mend: () => Promise.resolve(),
        metrics: { compared: { inc: () => undefined }, reloads: { inc: () => undefined } },
      },
      onClaims: () => undefined,
      onMembershipChange: () => undefined,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
  const [a, b] = [join('a'), join('b')];
  const beat = async (times: number, ...more: readonly Cluster[]): Promise<void> => {
    for (let i = 0; i < times; i++) {
      now += BEATS_MS;
      for (const node of [a, b, ...more]) {
        await node.beat().catch(() => undefined);
        node.tick();
      }
    }
  };
  return { nodes, a, b, beat, join, blind };
}

describe('a node that is heard of and cannot read the log', () => {
  test('INS1 gives up its share after so many heartbeats that this is no outage which has just ended, and takes it back', async () => {
    const { nodes, a, b, beat } = open();
    await beat(10);
    expect(nodes.standing.members).toEqual(['a', 'b']);
    b.conditions.set('database-away', true);
    await beat(5);
    expect(nodes.standing.members).toEqual(['a', 'b']);
    await beat(3);
    expect(nodes.standing.members).toEqual(['a']);
    expect([a.claims.stands, b.claims.stands]).toEqual([true, false]);
    // It is heard of all the time: only what it cannot do goes to the other one.
    expect(a.size).toMatchObject({ live: 2, members: 1 });
    b.conditions.set('database-away', false);
    await beat(8);
    expect(nodes.standing.members).toEqual(['a', 'b']);
    expect(b.claims.stands).toBe(true);
  });

  test('INS1 gives it up although a change of the membership, which it cannot go by, comes in between', async () => {
    const { nodes, b, beat, join, blind } = open();
    await beat(10);
    b.conditions.set('database-away', true);
    blind.add('b');
    await beat(3);
    const c = join('c');
    await beat(2, c);
    expect(nodes.standing.members).toEqual(['a', 'b', 'c']);
    // Those who join wait; until then nobody who was there before may think that it is on.
    await beat(4, c);
    expect(nodes.standing.members).toEqual(['a', 'c']);
    expect(b.claims.stands).toBe(false);
    b.conditions.set('database-away', false);
    blind.delete('b');
    await beat(8, c);
    expect(nodes.standing.members).toEqual(['a', 'b', 'c']);
    expect(b.claims.stands).toBe(true);
  });

  test('INS3 keeps it in an outage that ends for its heartbeats first', async () => {
    const { nodes, b, beat } = open();
    await beat(10);
    const { term } = nodes.standing;
    for (let i = 0; i < 4; i++) {
      b.conditions.set('database-away', true);
      await beat(4);
      b.conditions.set('database-away', false);
      await beat(1);
    }
    expect(nodes.standing.term).toBe(term);
  });
});

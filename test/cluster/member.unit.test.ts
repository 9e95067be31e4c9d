import { describe, expect, test } from '@jest/globals';
import { Member } from '../../src/cluster/member.ts';
import type { Said } from '../../src/cluster/roll.ts';
import { groupKey } from '../../src/health/claims.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { MemoryNodes } from '../support/memory-nodes.ts';

const TIMEOUT = 3000;
const GROUPS = Array.from({ length: 40 }, (_, n) => groupKey(`s${n}.example`, 'eu'));

/** Nodes on one database, all with clocks of their own. */
class World {
  time = 50_000;
  away = false;
  /** Of the history that all nodes read. */
  epoch = 'e1';
  readonly nodes = new MemoryNodes(() =>
    this.away ? Promise.reject(new StoreUnavailable('away')) : Promise.resolve(),
  );
  readonly members = new Map<string, { member: Member; said: Said; claims: number; now: () => number }>();

  constructor() {
    this.nodes.clock = () => this.time + 1_700_000_000_000;
  }

  add(id: string): Member {
    const offset = this.members.size * 1_000_000;
    const own = { said: { takesPart: true, leases: 'here' } as Said, claims: 0, now: () => this.time + offset };
    const member = new Member({
      nodes: this.nodes,
      me: { id, name: id, version: '1' },
      timeoutMs: TIMEOUT,
      epoch: () => this.epoch,
      describe: () => own.said,
      onClaims: () => (own.claims += 1),
      onRoll: () => undefined,
      onMembershipChange: () => undefined,
      catchUp: () => Promise.resolve(),
      log: { info: () => undefined, warn: () => undefined },
      now: own.now,
    });
    this.members.set(id, Object.assign(own, { member }));
    return member;
  }

  /** Those named beat every half second; everybody's time goes on. */
  async run(ms: number, ...beating: readonly string[]): Promise<void> {
    for (const end = this.time + ms; this.time < end;) {
      this.time += 100;
      for (const [id, { member }] of this.members) {
        if (this.time % 500 === 0 && beating.includes(id)) await member.beat().catch(() => undefined);
        member.tick();
      }
      for (const group of GROUPS) {
        const owners = [...this.members.values()].filter(({ member }) => member.owns(group));
        if (owners.length > 1) throw new Error(`${owners.length} own ${group}`);
      }
    }
  }

  owned = (id: string): number => GROUPS.filter((group) => this.members.get(id)?.member.owns(group)).length;
  claims = (id: string): number => this.members.get(id)?.claims ?? 0;
  say = (id: string, said: Partial<Said>): void => {
    const own = this.members.get(id);
    if (own !== undefined) own.said = { ...own.said, ...said };
  };
}

describe('a node among others', () => {
  test('alone it owns everything from its first heartbeat on; with a second one, each a share', async () => {
    const world = new World();
    world.add('a');
    expect(world.owned('a')).toBe(0);
    await world.run(500, 'a');
    expect(world.members.get('a')?.member.roll?.membership.members).toEqual(['a']);
    await world.run(500, 'a');
    expect(world.owned('a')).toBe(GROUPS.length);
    world.add('b');
    await world.run(1000, 'a', 'b');
    expect(world.owned('a')).toBe(GROUPS.length);
    expect(world.owned('b')).toBe(0);
    const before = world.claims('b');
    await world.run(2000, 'a', 'b');
    expect(world.owned('a') + world.owned('b')).toBe(GROUPS.length);
    expect(world.owned('b')).toBeGreaterThan(5);
    expect(world.claims('b')).toBeGreaterThan(before);
  });

  test('who is not heard stops by itself before the others take over, and joins again', async () => {
    const world = new World();
    world.add('a');
    world.add('b');
    await world.run(5000, 'a', 'b');
    const share = world.owned('b');
    await world.run(2100, 'a');
    expect(world.owned('b')).toBe(0);
    expect(world.owned('a')).toBe(GROUPS.length - share);
    await world.run(1500, 'a');
    expect(world.owned('a')).toBe(GROUPS.length);
    // Not before what it left undone is made up for.
    await world.run(2500, 'a', 'b');
    expect([world.owned('a'), world.owned('b')]).toEqual([GROUPS.length, 0]);
    await world.run(3500, 'a', 'b');
    expect(world.owned('b')).toBe(share);
  });

  test('INS3 it knows how often others had its share without a word from it, and has it no less often for being heard late', async () => {
    const world = new World();
    const [a, b] = [world.add('a'), world.add('b')];
    await world.run(5000, 'a', 'b');
    // Nobody takes it within the timeout.
    await world.run(2400, 'a');
    await world.run(3000, 'a', 'b');
    expect([a.timesLost, b.timesLost]).toEqual([0, 0]);
    await world.run(4000, 'a');
    await world.run(3000, 'a', 'b');
    expect([a.timesLost, b.timesLost]).toEqual([0, 1]);
    // The database was away: nobody took anything.
    world.away = true;
    await world.run(9000, 'a', 'b');
    world.away = false;
    await world.run(3000, 'a', 'b');
    expect([a.timesLost, b.timesLost]).toEqual([0, 1]);
  });

  test('INS1 INS3 who was without the database is told whether the others were, too', async () => {
    const world = new World();
    const [a, b] = [world.add('a'), world.add('b')];
    await world.run(5000, 'a', 'b');
    const now = (node: string): number => world.members.get(node)?.now() ?? NaN;
    const from = now('b');
    await world.run(2500, 'a');
    const until = now('b');
    await world.run(500, 'a', 'b');
    // What was said until then may have waited for the database.
    expect(b.wereOthersThere(from, until)).toBe(false);
    await world.run(1500, 'a', 'b');
    expect(b.wereOthersThere(from, until)).toBe(true);
    world.away = true;
    await world.run(2500, 'a', 'b');
    world.away = false;
    const back = [now('a'), now('b')] as const;
    await world.run(5000, 'a', 'b');
    const were = [a, b].map((node, n) => node.wereOthersThere((back[n] ?? 0) - 2500, back[n] ?? 0));
    expect(were).toEqual([false, false]);
  });

  test('INS3 the database was away for all: nobody is taken for dead when it is back', async () => {
    const world = new World();
    world.add('a');
    world.add('b');
    await world.run(5000, 'a', 'b');
    const { term } = world.nodes.standing;
    world.away = true;
    await world.run(20_000, 'a', 'b');
    expect(world.owned('a') + world.owned('b')).toBe(0);
    world.away = false;
    // One of them comes a moment earlier than the other.
    await world.run(1000, 'a');
    await world.run(1000, 'a', 'b');
    expect(world.nodes.standing.term).toBe(term);
    expect(world.owned('a') + world.owned('b')).toBe(GROUPS.length);
    // What is really dead is found out all the same.
    await world.run(8000, 'a');
    expect(world.owned('a')).toBe(GROUPS.length);
  });

  test('INS3 the database was away for all, and for one of them a little less than it takes to be left out: nobody is', async () => {
    const world = new World();
    world.add('a');
    const b = world.add('b');
    await world.run(4000, 'a', 'b');
    expect(b.roll?.membership.members).toEqual(['a', 'b']);
    // It is gone between the heartbeats of the two.
    await world.run(500, 'a');
    world.away = true;
    await world.run(2000, 'a', 'b');
    world.away = false;
    await world.run(5000, 'a', 'b');
    expect(b.timesLost).toBe(0);
    // Who is dead is left out all the same.
    await world.run(4000, 'a');
    expect(world.members.get('a')?.member.roll?.membership.members).toEqual(['a']);
  });

  test('a node that steps down leaves its share at once and without a gap, and is still heard', async () => {
    const world = new World();
    const a = world.add('a');
    const b = world.add('b');
    await world.run(5000, 'a', 'b');
    await b.stepDown();
    expect(world.owned('b')).toBe(0);
    await world.run(500, 'a', 'b');
    expect(world.owned('a')).toBe(GROUPS.length);
    // But for the time until the others could hear of it.
    expect(a.membership.since - a.gapFrom).toBeLessThan(10);
    expect(a.roll?.nodes.map(({ id }) => id)).toEqual(['a', 'b']);
    await b.leave();
    await world.run(500, 'a');
    expect(a.roll?.nodes.map(({ id }) => id)).toEqual(['a']);
  });

  test('INS3 a node without leases keeps renewals only once all know that, or when it is alone', async () => {
    const world = new World();
    const a = world.add('a');
    await world.run(1000, 'a');
    expect(a.mayKeepRenewals).toBe(true);
    const b = world.add('b');
    await world.run(4000, 'a', 'b');
    expect(a.mayKeepRenewals).toBe(false);
    world.say('b', { leases: 'away' });
    expect(b.mayKeepRenewals).toBe(false);
    // `a` hears of it with its next heartbeat; what it decides before that is of an old term, and not committed.
    await world.run(1000, 'a', 'b');
    expect(b.mayKeepRenewals).toBe(true);
    expect(a.mayKeepRenewals).toBe(false);
    expect(a.leasesRun).toBe(false);
    expect(a.fence).toBe(b.fence);
    // It had them in between, and does not know whether that is over for the others: a new term says it.
    const { term } = world.nodes.standing;
    world.say('b', { leases: 'here' });
    await b.beat();
    world.say('b', { leases: 'away' });
    expect(b.mayKeepRenewals).toBe(false);
    await world.run(500, 'b');
    expect(b.mayKeepRenewals).toBe(true);
    expect(world.nodes.standing).toMatchObject({ withoutLeases: ['b'] });
    expect(world.nodes.standing.term).toBeGreaterThan(term);
    await world.run(1000, 'a', 'b');
    // Cut off from the database as well, it cannot know whether the others still wait for it.
    await world.run(2500, 'a');
    expect(b.mayKeepRenewals).toBe(false);
    await world.run(1000, 'a');
    expect(a.leasesRun).toBe(true);
  });

  test('INS3 while nodes have different leases nobody’s runs out', async () => {
    const world = new World();
    const a = world.add('a');
    world.add('b');
    world.say('a', { leaseStore: 'database' });
    world.say('b', { leaseStore: 'redis x' });
    await world.run(5000, 'a', 'b');
    expect(a.leasesRun).toBe(false);
    expect(a.membership).toMatchObject({ members: ['a', 'b'], withoutLeases: ['a', 'b'] });
    world.say('a', { leaseStore: 'redis x' });
    await world.run(1000, 'a', 'b');
    expect(a.leasesRun).toBe(true);
  });

  test('a share of the work is for those who take part', async () => {
    const world = new World();
    world.add('a');
    world.add('b');
    world.say('b', { takesPart: false });
    await world.run(5000, 'a', 'b');
    expect(world.owned('a')).toBe(GROUPS.length);
  });

  test('INS1 after another database has taken over, a membership of the same number and of other nodes is gone by', async () => {
    const world = new World();
    const [a, b] = [world.add('a'), world.add('b')];
    await world.run(5000, 'a', 'b');
    const older = world.nodes.standing;
    const c = world.add('c');
    await world.run(5000, 'a', 'b', 'c');
    expect(b.membership).toMatchObject({ term: older.term + 1, members: ['a', 'b', 'c'] });
    await world.run(2100, 'a', 'b');
    // A standby that has not heard of the last change is the database now, and another node comes before `b` looks.
    world.nodes.standing = older;
    await c.leave();
    world.add('d');
    await world.run(500, 'a', 'd');
    expect(world.nodes.standing).toMatchObject({ term: older.term + 1, members: ['a', 'b', 'd'] });
    const before = world.claims('b');
    await world.run(3000, 'a', 'b', 'd');
    expect(a.membership).toEqual(b.membership);
    expect(b.membership.members).toEqual(['a', 'b', 'd']);
    expect(world.claims('b')).toBeGreaterThan(before);
    expect(world.owned('a') + world.owned('b') + world.owned('d')).toBe(GROUPS.length);
  });

  test('INS1 in another history nothing is decided under a number of the old one before the membership was read anew', async () => {
    const world = new World();
    const a = world.add('a');
    await world.run(5000, 'a');
    const { term } = world.nodes.standing;
    expect(a.fence).toBe(term);
    world.epoch = 'e2';
    expect(a.fence).toBe(-1);
    const before = world.claims('a');
    await world.run(500, 'a');
    expect(a.fence).toBe(term);
    // What was refused meanwhile can be tried again.
    expect(world.claims('a')).toBeGreaterThan(before);
  });

  test('a slot is one node’s, whatever their clocks say', async () => {
    const world = new World();
    const a = world.add('a');
    const b = world.add('b');
    await world.run(600, 'a');
    await world.run(1100, 'a', 'b');
    const { since } = b.membership;
    for (const group of GROUPS) {
      for (const at of [since - 1, since, since + 1]) expect(a.ownsSlot(group, at)).toBe(!b.ownsSlot(group, at));
    }
  });
});

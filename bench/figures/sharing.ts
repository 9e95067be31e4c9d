import type { Bench } from '../lib/bench.ts';
import { accepted, commands, entries, loaded, REGIONS, SERVICES } from '../lib/catalog-in-memory.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { heartbeatCost } from '../lib/heartbeats.ts';
import { nanoseconds } from '../lib/nanoseconds.ts';
import { Member } from '../../src/cluster/member.ts';
import { ViewDigest } from '../../src/cluster/view-digest.ts';
import { decide } from '../../src/domain/decide.ts';
import { NO_MEMBERSHIP, rendezvous } from '../../src/domain/membership.ts';
import type { View } from '../../src/domain/view.ts';
import type { FoldedEntry } from '../../src/feed/tail.ts';
import { groupKey } from '../../src/health/claims.ts';
import { validateResource } from '../../src/protocol/validate.ts';
import type { Nodes, Roll } from '../../src/store/port.ts';

const GROUPS = 4096;
const NODES = 5;
const HEARTBEAT_MS = 500;

/** What being several costs a node: who owns what, the self-check, and heartbeats. */
export const sharing: Figure = {
  name: 'sharing',
  title: 'what being one of several nodes costs: single steps in one process on the core of the load, and heartbeats',
  async measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return { rows: [], notes: [] };
    const rows: Row[] = [];
    const row = (what: string, batch: number, step: () => void): number => {
      const value = nanoseconds(bench, batch, step);
      rows.push({ what, unit: 'ns', value });
      return value;
    };
    for (const count of [3, 10]) {
      const { ids, member } = await memberAmong(count);
      const next = groups();
      row(`which of ${count} members a group is given to (rendezvous)`, 1, () => rendezvous(ids, next()));
      row(`whether a group is this node's, of ${count}: as it is asked all the time (owns)`, 1, () =>
        member.owns(next()),
      );
      row(`whether a check was this node's at its time, of ${count} (ownsSlot)`, 1, () => member.ownsSlot(next(), 0));
    }
    const view = loaded();
    const fold = row('fold a change', 1, folding(view));
    const digest = row('take a change into the digest of the view', 1, digesting(view));
    row('digest of a whole view, for each resource (only after a reload)', view.size, reloading(view));

    const beats = await heartbeatCost(bench, NODES, bench.quick ? 200 : 1000);
    const perSecond = (NODES * 1000) / HEARTBEAT_MS;
    const share = (us: number, times: number): number => (100 * us * times) / 1e6;
    rows.push(
      { what: `a heartbeat, ${NODES} nodes`, unit: 'ms', value: beats.ms },
      {
        what: `heartbeats of ${NODES} nodes, ${perSecond} a second: CPU of PostgreSQL`,
        unit: '% of a core',
        value: share(beats.databaseUs, perSecond),
      },
      {
        what: `heartbeats of one node, ${1000 / HEARTBEAT_MS} a second: its CPU`,
        unit: '% of a core',
        value: share(beats.nodeUs, 1000 / HEARTBEAT_MS),
      },
    );
    return {
      rows,
      notes: [
        `A catalog of ${SERVICES * REGIONS} deployments; ${GROUPS.toLocaleString('en')} services in regions. The digest takes ${Math.round((100 * digest) / fold)} % of the time that folding takes.`,
        `A heartbeat took ${beats.databaseUs.toFixed(0)} µs of PostgreSQL's CPU and ${beats.nodeUs.toFixed(0)} µs of the node's; one after the other, each durable.`,
      ],
    };
  },
};

function groups(): () => string {
  const keys = Array.from({ length: GROUPS }, (_, n) =>
    groupKey(`service-${n >> 3}.bench.example.com`, `region-${n & 7}`),
  );
  let count = 0;
  return () => keys[count++ % GROUPS] ?? '';
}

/** A node that has heard of all others a moment ago. */
async function memberAmong(count: number): Promise<{ ids: readonly string[]; member: Member }> {
  const ids = Array.from({ length: count }, (_, n) => `3c0e4d1a-7b52-4f0e-9d2c-${String(n).padStart(12, '0')}`);
  const [id = ''] = ids;
  const clock = Date.now();
  const roll: Roll = {
    clock,
    membership: { ...NO_MEMBERSHIP, term: 1, members: ids },
    nodes: ids.map((each) => ({
      id: each,
      name: 'bench',
      version: '0.1.0',
      startedAt: clock,
      heardAt: clock,
      state: { takesPart: true, leases: 'here' },
    })),
  };
  const nodes: Nodes = {
    beat: () => Promise.resolve(roll),
    change: () => Promise.resolve(false),
    leave: () => Promise.resolve(),
    membership: () => Promise.resolve(roll.membership),
  };
  const member = new Member({
    nodes,
    me: { id, name: 'bench', version: '0.1.0' },
    epoch: () => 'bench',
    // So that one heartbeat is enough for the whole figure.
    timeoutMs: 3_600_000,
    describe: () => ({ takesPart: true, leases: 'here' }),
    onClaims: () => {},
    onRoll: () => {},
    onMembershipChange: () => {},
    catchUp: () => Promise.resolve(),
    log: { info: () => {}, warn: () => {} },
    now: () => performance.now(),
  });
  await member.beat();
  if (!member.stands) throw new Error('the node is no member');
  return { ids, member };
}

function folding(view: View): () => void {
  const next = entries(view);
  return () => {
    view.fold(next().changes);
  };
}

function digestOf(view: View): ViewDigest {
  const digest = new ViewDigest(() => ({ items: view.all(), revision: 1 }));
  digest.begin();
  return digest;
}

function digesting(view: View): () => void {
  const digest = digestOf(view);
  const next = commands();
  const folded: FoldedEntry[][] = Array.from({ length: 4096 }, (_, n) => {
    const { changes } = accepted(decide(view, next(), 2 + n, validateResource));
    return [{ entry: { revision: 2 + n, at: n, author: 'bench', changes }, folded: view.fold(changes) }];
  });
  let count = 0;
  return () => digest.onAdvance(folded[count++ % folded.length] ?? []);
}

function reloading(view: View): () => void {
  const digest = digestOf(view);
  return () => digest.begin();
}

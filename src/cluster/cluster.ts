import type { Logger } from 'pino';
import { NO_MEMBERSHIP } from '../domain/membership.ts';
import type { Head } from '../domain/position.ts';
import { aloneClaims, type Claims } from '../health/claims.ts';
import type { NodeRow, Roll, Store } from '../store/port.ts';
import { Conditions } from './conditions.ts';
import { Member, type MemberDeps } from './member.ts';
import type { Said } from './roll.ts';
import { SelfCheck, type SelfCheckDeps } from './self-check.ts';
import { reportOf, type ClusterStatus, type NodeFacts, type NodesReport } from './status.ts';

/** What this node is doing, as it says it of itself. */
export type Levels = Pick<NodeFacts, 'watchers' | 'subscriptions' | 'instances'>;

interface Base {
  readonly me: Pick<NodeRow, 'id' | 'name' | 'version'>;
  readonly state: { readonly ready: boolean; readonly head: Head };
  readonly levels: () => Levels;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

export interface ClusterDeps extends Base {
  readonly store: Pick<Store, 'nodes' | 'load'>;
  readonly timeoutMs: number;
  /** Whether it takes a share of the leases and checks. */
  readonly takesPart: () => boolean;
  readonly leases: () => Said['leases'];
  /** Which leases these are: nodes that have others cannot share. */
  readonly leaseStore: string;
  readonly selfCheck: Omit<SelfCheckDeps, 'self' | 'timeoutMs' | 'head' | 'load' | 'log' | 'now'>;
  /** What it may decide about is another than before. */
  readonly onClaims: () => void;
  readonly onMembershipChange: MemberDeps['onMembershipChange'];
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** This node and the others on its database. */
export interface Cluster {
  readonly claims: Claims;
  readonly conditions: Conditions;
  readonly status: ClusterStatus;
  /** Nodes that were heard of lately, and those of them that share the work. */
  readonly size: { readonly live: number; readonly members: number; readonly term: number };
  /** Whether the others have heard of it lately, and it of them. */
  readonly isHeard: boolean;
  /** Whether another node reaches the leases. */
  readonly othersHaveLeases: boolean;
  /** Whether a renewal that could not be stored may be acknowledged. */
  readonly mayKeepRenewals: boolean;
  /** Rejects as the store does. */
  beat(): Promise<void>;
  /** Tells the others how it is now. Rejects as the store does. */
  announce(): Promise<void>;
  /** To be called often: time alone changes what is whose. */
  tick(): void;
  /** It is no longer ready, and its share goes to the others. Rejects as the store does. */
  drain(): Promise<void>;
  leave(): Promise<void>;
}

/** So many are no outage that has just ended. */
const MAX_BLIND = 6;

/** The nodes on a database that several can share. */
export function joinCluster(deps: ClusterDeps): Cluster {
  const { store, me, state, levels, takesPart, leases, timeoutMs, onClaims, onMembershipChange, log, now, clock } =
    deps;
  const conditions = new Conditions(clock);
  /** Heartbeats that were answered in a row although the log cannot be read. */
  let blind = 0;
  /** A membership that it cannot go by, since it cannot read the log, is one more that it was blind for. */
  const catchUp = (): Promise<void> =>
    deps.selfCheck.catchUp().catch((error: unknown) => {
      blind += 1;
      throw error;
    });
  const status = new Status(deps, conditions, () => member.roll && reportOf(member.roll, me.id, timeoutMs));
  const selfCheck = new SelfCheck({
    ...deps.selfCheck,
    self: me.id,
    timeoutMs,
    head: () => state.head,
    load: () => store.load(),
    log,
    now,
  });
  const member = new Member({
    nodes: store.nodes,
    me,
    timeoutMs,
    epoch: () => state.head.epoch,
    describe: () => ({
      // What cannot decide has no share: nobody else would do what is its own.
      // The first heartbeat is a moment before it is ready.
      takesPart: takesPart() && (status.ready || member.roll === undefined) && blind < MAX_BLIND,
      leases: leases(),
      leaseStore: deps.leaseStore,
      ...(state.ready && { view: selfCheck.said }),
      ...status.facts(levels()),
    }),
    onClaims,
    onRoll: (roll) => {
      blind = conditions.has('database-away') ? blind + 1 : 0;
      if (!state.ready && !selfCheck.isMending) return;
      selfCheck.look(roll).catch((error: unknown) => {
        log.warn({ err: error }, 'the view could not be held against the database; the next heartbeat tries again');
      });
    },
    onMembershipChange,
    catchUp,
    log,
    now,
  });
  return {
    claims: member,
    conditions,
    status,
    get size() {
      return sizeOf(member.roll, timeoutMs);
    },
    get isHeard() {
      return member.isHeard;
    },
    get othersHaveLeases() {
      const { roll } = member;
      const isLive = ({ heardAt }: NodeRow): boolean => Math.abs((roll?.clock ?? 0) - heardAt) < timeoutMs;
      return roll?.nodes.some((row) => row.id !== me.id && isLive(row) && row.state['leases'] === 'here') === true;
    },
    get mayKeepRenewals() {
      return member.mayKeepRenewals;
    },
    beat: () => member.beat(),
    announce: () => member.announce(),
    tick: () => {
      member.tick();
      conditions.set('fenced', member.roll !== undefined && !member.isHeard);
    },
    drain: () => {
      conditions.set('draining', true);
      return member.stepDown();
    },
    leave: () => member.leave(),
  };
}

/** A node on the embedded database, which nobody else can reach. */
export function alone(deps: Base): Cluster {
  const conditions = new Conditions(deps.clock);
  const { me, clock, levels } = deps;
  const startedAt = clock();
  const row = (state: NodeRow['state']): NodeRow => ({ ...me, startedAt, heardAt: clock(), state });
  const status = new Status(deps, conditions, () => ({
    term: 0,
    nodes: reportOf(rollOf(row({ ...status.facts(levels()) }), clock()), me.id, Number.POSITIVE_INFINITY).nodes,
  }));
  return {
    claims: aloneClaims(deps.now),
    conditions,
    status,
    size: { live: 1, members: 1, term: 0 },
    isHeard: true,
    othersHaveLeases: false,
    mayKeepRenewals: true,
    beat: () => Promise.resolve(),
    announce: () => Promise.resolve(),
    tick: () => undefined,
    drain: () => {
      conditions.set('draining', true);
      return Promise.resolve();
    },
    leave: () => Promise.resolve(),
  };
}

class Status implements ClusterStatus {
  readonly #deps: Pick<Base, 'state'>;
  readonly #conditions: Conditions;
  readonly #report: () => NodesReport | undefined;

  constructor(deps: Pick<Base, 'state'>, conditions: Conditions, report: () => NodesReport | undefined) {
    this.#deps = deps;
    this.#conditions = conditions;
    this.#report = report;
  }

  get ready(): boolean {
    return this.#deps.state.ready && !this.draining && !this.#conditions.has('reloading');
  }

  get draining(): boolean {
    return this.#conditions.has('draining');
  }

  get degraded(): Conditions['list'] {
    return this.#conditions.list;
  }

  facts(levels: Levels): NodeFacts {
    const { epoch, revision } = this.#deps.state.head;
    return { ready: this.ready, draining: this.draining, degraded: this.degraded, epoch, revision, ...levels };
  }

  /** Of itself a node knows more than it said last. */
  nodes(): NodesReport {
    const report = this.#report() ?? { term: 0, nodes: [] };
    const { ready, draining, degraded } = this;
    return {
      ...report,
      nodes: report.nodes.map((node) => (node.self ? { ...node, ready, draining, degraded } : node)),
    };
  }
}

function rollOf(node: NodeRow, clock: number): Roll {
  return { clock, membership: { ...NO_MEMBERSHIP, members: [node.id] }, nodes: [node] };
}

function sizeOf(roll: Roll | undefined, timeoutMs: number): Cluster['size'] {
  if (roll === undefined) return { live: 0, members: 0, term: 0 };
  const live = roll.nodes.filter(({ heardAt }) => Math.abs(roll.clock - heardAt) < timeoutMs).length;
  return { live, members: roll.membership.members.length, term: roll.membership.term };
}

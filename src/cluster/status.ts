import type { NodeRow, Roll } from '../store/port.ts';
import type { Condition } from './conditions.ts';

/** What a node says of itself, for people and for the other nodes. */
export interface NodeFacts {
  /** Whether it answers from its view. */
  readonly ready: boolean;
  readonly draining: boolean;
  readonly degraded: readonly Condition[];
  readonly epoch: string;
  readonly revision: number;
  /** Open watch sockets and streams. */
  readonly watchers: number;
  readonly subscriptions: number;
  /** Instances whose leases it keeps or that it checks, at the moment. */
  readonly instances: number;
}

/** One node, as `GET /v1/nodes` tells of it. */
export interface NodeReport extends Partial<NodeFacts> {
  readonly id: string;
  readonly name: string;
  /** Of Signalbox. */
  readonly version: string;
  /** RFC 3339, UTC, by the database's clock. */
  readonly startedAt: string;
  readonly heardAt: string;
  /** Whether it was heard of within NODE_TIMEOUT. */
  readonly live: boolean;
  /** Whether it has a share of the leases and checks. */
  readonly member: boolean;
  /** Whether it is the one that answers. */
  readonly self: boolean;
}

export interface NodesReport {
  /** Of the membership; 0 where there is only one node, ever. */
  readonly term: number;
  readonly nodes: readonly NodeReport[];
}

/** What the edge needs to know of this node and the others. */
export interface ClusterStatus {
  /** Whether requests are to be sent here: the catalog is loaded, and the node is neither draining nor reloading. */
  readonly ready: boolean;
  readonly draining: boolean;
  readonly degraded: readonly Condition[];
  nodes(): NodesReport;
}

const FACTS: Readonly<Record<keyof NodeFacts, (value: unknown) => boolean>> = {
  ready: (value) => typeof value === 'boolean',
  draining: (value) => typeof value === 'boolean',
  degraded: Array.isArray,
  epoch: (value) => typeof value === 'string',
  revision: Number.isSafeInteger,
  watchers: Number.isSafeInteger,
  subscriptions: Number.isSafeInteger,
  instances: Number.isSafeInteger,
};

/** Everyone in a roll. Of what nodes of other versions say, what is known here and has the right form. */
export function reportOf(roll: Roll, self: string, timeoutMs: number): NodesReport {
  const { clock, membership } = roll;
  return {
    term: membership.term,
    nodes: roll.nodes.map((row) => {
      const live = Math.abs(clock - row.heardAt) < timeoutMs;
      return {
        id: row.id,
        name: row.name,
        version: row.version,
        startedAt: new Date(row.startedAt).toISOString(),
        heardAt: new Date(row.heardAt).toISOString(),
        live,
        member: membership.members.includes(row.id),
        self: row.id === self,
        // What it said before it fell silent is over.
        ...(live ? factsOf(row) : { ready: false }),
      };
    }),
  };
}

function factsOf({ state }: Pick<NodeRow, 'state'>): Partial<NodeFacts> {
  const known = Object.entries(FACTS).filter(([name, isRight]) => isRight(state[name]));
  return Object.fromEntries(known.map(([name]) => [name, state[name]]));
}

import type { Candidate } from '../domain/membership.ts';
import type { NodeRow, NodeState, Roll } from '../store/port.ts';

/** What a node says about itself in its row. Those of other versions may say more, or less. */
export interface Said {
  /** Whether it wants a share of the work. */
  readonly takesPart: boolean;
  /** `none`: it has never reached them, or there are none to share. */
  readonly leases: 'here' | 'away' | 'none';
  readonly leaseStore?: string;
  /** When it stopped to act on what it owned, by the database's clock. */
  readonly stoppedAt?: number;
  /** Since when its heartbeats have been answered without a gap, by the database's clock. */
  readonly steadySince?: number;
  readonly [more: string]: unknown;
}

const wantsShare = (state: NodeState): boolean => state['takesPart'] === true;
const hasLeases = (state: NodeState): boolean => state['leases'] !== 'away';

/**
 * Everyone who may share the work. `mayJudge` false: this node was itself cut off until a moment ago, and so may the others have
 * been; whoever was a member counts as there until it can be told. While nodes have different leases, as when Redis is being
 * introduced node by node, none of them has those of all: nobody's lease runs out meanwhile.
 */
export function candidatesOf({ clock, membership, nodes }: Roll, mayJudge: boolean, timeoutMs: number): Candidate[] {
  const live = nodes.filter(({ heardAt }) => Math.abs(clock - heardAt) < timeoutMs);
  const stores = new Set(live.map(({ state }) => state['leaseStore']).filter((store) => typeof store === 'string'));
  return nodes.map(({ id, heardAt, state }: NodeRow) => ({
    id,
    heardAt: !mayJudge && membership.members.includes(id) ? clock : heardAt,
    ...(typeof state['stoppedAt'] === 'number' && { stoppedAt: state['stoppedAt'] }),
    takesPart: wantsShare(state),
    hasLeases: hasLeases(state) && stores.size <= 1,
  }));
}

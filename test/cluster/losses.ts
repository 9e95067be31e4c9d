import { DISTURBING } from './disturbing.ts';
import type { FaultRecord } from './record.ts';

/** What the loss of a node may add at the settings of a cluster here: NODE_TIMEOUT, NODE_HEARTBEAT, and what was due meanwhile (decisions/0018). */
export const TAKEOVER_MS = 5000;

/** Nodes that were lost, held up or came back within a time that ends later the more of them there are. */
function lossesIn(faults: readonly FaultRecord[], from: number, endOf: (losses: number) => number): number {
  let losses = 0;
  for (const fault of faults.toSorted((a, b) => a.from - b.from)) {
    if (!DISTURBING.has(fault.kind) || !fault.target.startsWith('node-')) continue;
    if (fault.recovered > from && fault.from < endOf(losses)) losses += 1;
  }
  return losses;
}

/** The published bound (INS1) has the loss of one node in it; each further one, and each of `others`, may add as much again. */
export function deadlineAfterLosses(
  faults: readonly FaultRecord[],
  from: number,
  deadline: number,
  others: number,
): number {
  const endOf = (losses: number): number => deadline + (losses === 0 ? 0 : losses - 1 + others) * TAKEOVER_MS;
  return endOf(lossesIn(faults, from, endOf));
}

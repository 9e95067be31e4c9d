import type { Mode } from '../../../src/cluster/conditions.ts';
import type { Look } from '../node-look.ts';
import type { Violation } from '../record.ts';

/** A mode may come and go between two questions; not in so many looks in a row, each time between the same two. */
const MANY = 5;

/**
 * What a node says of itself in `/v1/nodes`, `/readyz` says too, and `/metrics`. They are not asked at the same moment: a mode that
 * stands since the same moment in what was asked first and last stood all the time between.
 */
export function agree(looks: readonly Look[]): Violation[] {
  const violations = new Map<string, Violation>();
  const complain = (what: string, look: Look): void => {
    const { nodes, again, readyz, metrics } = look;
    const said = { nodes: [...nodes], readyz: readyz && [...readyz], metrics: [...metrics], again: [...again] };
    if (!violations.has(what)) violations.set(what, { promise: 'modes', what, evidence: { ...look, ...said } });
  };
  const runs = new Map<string, { n: number; length: number }>();
  for (const look of looks) {
    const { node, n, nodes, again, readyz, metrics } = look;
    for (const [mode, since] of nodes) {
      if (again.get(mode) !== since) continue;
      if (readyz !== undefined && readyz.get(mode) !== since) complain(`${node} is ${mode}, and not in /readyz`, look);
      if (!metrics.has(mode)) complain(`${node} is ${mode}, and not in /metrics`, look);
    }
    for (const [where, said] of Object.entries({ readyz: readyz?.keys() ?? [], metrics }))
      for (const mode of said as Iterable<Mode>) {
        if (nodes.has(mode) || again.has(mode)) continue;
        const what = `${node} is ${mode} in /${where}, and not in /v1/nodes`;
        const before = runs.get(what);
        const length = before?.n === n - 1 ? before.length + 1 : 1;
        runs.set(what, { n, length });
        if (length >= MANY) complain(what, look);
      }
  }
  return [...violations.values()];
}

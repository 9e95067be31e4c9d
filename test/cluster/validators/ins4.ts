import { isGivenUp, type InstanceEvent, type Violation } from '../record.ts';
import { groupBy } from './ins1.ts';

export interface Guard {
  readonly min: number;
  readonly share: number;
  readonly windowMs: number;
  readonly holdMs: number;
}

/**
 * INS4: of a group with `min` or more in service, no more than its share is given up within the window, until the guard may have let
 * go. Counted is what surely lies within: from the latest that the first, to the earliest that the last can have been.
 */
export function ins4(events: readonly InstanceEvent[], guard: Guard): Violation[] {
  const violations: Violation[] = [];
  for (const [group, ofGroup] of groupBy(events, (event) => event.group))
    violations.push(...ofOne(group, ofGroup, guard));
  return violations;
}

function ofOne(group: string, events: readonly InstanceEvent[], { min, share, windowMs, holdMs }: Guard): Violation[] {
  const up = new Set<string>();
  const lost = new Map<string, InstanceEvent>();
  let fullSince: number | undefined;
  for (const event of events) {
    for (const [name, one] of lost) if (event.before - one.after >= windowMs) lost.delete(name);
    if (!isGivenUp(event) || !up.has(event.name)) {
      if (event.op === 'delete') up.delete(event.name);
      else if (event.status !== 'critical') {
        up.add(event.name);
        lost.delete(event.name);
      }
      continue;
    }
    up.delete(event.name);
    lost.set(event.name, event);
    const baseline = up.size + lost.size;
    if (baseline < min) continue;
    const budget = Math.floor(baseline * share + 1e-9);
    if (lost.size >= budget) fullSince ??= event.before;
    if (lost.size <= budget) continue;
    // It has let go, and lets go on until the group has recovered.
    if (fullSince !== undefined && event.before - fullSince >= holdMs) continue;
    const evidence = { lost: [...lost.values()], up: [...up], budget };
    return [
      { promise: 'INS4', what: `${group}: ${lost.size} of ${baseline} were given up within the window`, evidence },
    ];
  }
  return [];
}

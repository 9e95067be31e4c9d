import { isGivenUp, type FaultRecord, type Hold, type InstanceEvent, type Violation } from '../record.ts';
import { groupBy } from './ins1.ts';
import { delaysOf, mayHaveLetGo, type Guarded } from './let-go.ts';

export interface Guard {
  readonly min: number;
  readonly share: number;
  readonly windowMs: number;
  readonly holdMs: number;
}

export interface Masses {
  readonly events: readonly InstanceEvent[];
  readonly holds: readonly Hold[];
  readonly faults: readonly FaultRecord[];
  readonly guard: Guard;
}

/**
 * INS4: of a group with `min` or more in service, no more than its share is given up within the window, until the guard may have let
 * go. Counted is what surely lies within: from the latest that the first, to the earliest that the last can have been.
 */
export function ins4({ events, holds, faults, guard }: Masses): Violation[] {
  const delays = delaysOf(faults);
  const violations: Violation[] = [];
  for (const [name, ofGroup] of groupBy(events, (event) => event.group)) {
    const group = { events: ofGroup, holds: holds.filter((hold) => hold.group === name), delays };
    violations.push(...ofOne(name, group, guard));
  }
  return violations;
}

function ofOne(name: string, group: Guarded, guard: Guard): Violation[] {
  const { min, share, windowMs } = guard;
  const up = new Set<string>();
  const lost = new Map<string, InstanceEvent>();
  for (const [i, event] of group.events.entries()) {
    for (const [one, { after }] of lost) if (event.before - after >= windowMs) lost.delete(one);
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
    if (lost.size <= budget || mayHaveLetGo({ ...group, events: group.events.slice(0, i + 1) }, guard)) continue;
    const evidence = { lost: [...lost.values()], up: [...up], budget, holds: group.holds };
    return [
      { promise: 'INS4', what: `${name}: ${lost.size} of ${baseline} were given up within the window`, evidence },
    ];
  }
  return [];
}

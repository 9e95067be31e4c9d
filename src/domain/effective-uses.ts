import type { Delta } from './delta.ts';
import type { Item } from './item.ts';
import { allOf } from './lookup.ts';
import type { Service } from './resources.ts';
import type { Reader } from './view.ts';

/** The bundles whose members everyone uses. */
export function everyonesBundles(state: Reader): Item<'bundle'>[] {
  const found = [];
  for (const bundle of allOf(state, 'bundle')) if (bundle.value.rules.usedByEveryone) found.push(bundle);
  return found;
}

/** What a service may call: what it declares, and the members of everyone's bundles it does not belong to; sorted. */
export function effectiveUses(
  service: string,
  uses: readonly string[],
  bundles: readonly Item<'bundle'>[],
): readonly string[] {
  let all: Set<string> | undefined;
  for (const { value } of bundles) {
    if (value.members.includes(service)) continue;
    all ??= new Set(uses);
    for (const member of value.members) all.add(member);
  }
  return all === undefined ? uses : [...all].sort();
}

/** The services whose effective uses a change makes different, each as it has to become. */
export function* changedUses(delta: Delta): Iterable<{ item: Item<'service'>; value: Service }> {
  let bundles: Item<'bundle'>[] | undefined;
  for (const item of concerned(delta)) {
    bundles ??= everyonesBundles(delta.after);
    const uses = effectiveUses(item.id, item.value.uses, bundles);
    if (!sameList(uses, item.value.effectiveUses)) yield { item, value: { ...item.value, effectiveUses: uses } };
  }
}

/** Every service when a bundle that everyone uses changes; otherwise the services that the change touches. */
function concerned(delta: Delta): readonly Item<'service'>[] {
  const touched: Item<'service'>[] = [];
  for (const { before, after } of delta.touches.values()) {
    if (after?.kind === 'service') touched.push(after);
    if (before?.kind === 'bundle' && before.value.rules.usedByEveryone) return [...allOf(delta.after, 'service')];
    if (after?.kind === 'bundle' && after.value.rules.usedByEveryone) return [...allOf(delta.after, 'service')];
  }
  return touched;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}

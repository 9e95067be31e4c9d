import { children } from './indexes.ts';
import type { AnyItem } from './item.ts';
import { serviceOf } from './lookup.ts';
import type { Reader } from './view.ts';

/** How much a project holds. Its instances are those of its services; a service outside the catalog has no project. */
export interface Usage {
  readonly services: number;
  readonly instances: number;
}

export const NO_USAGE: Usage = { services: 0, instances: 0 };

/** By how much a project's usage moves. */
interface Move extends Usage {
  readonly project: string;
}

/**
 * What a change does to what a project holds, asked of the state before it; `undefined` for nothing, as of most changes.
 * A service brings the instances that it had before it was in the catalog, and takes them with it.
 */
function moveOf(state: Reader, before: AnyItem | undefined, after: AnyItem | undefined): Move | undefined {
  if ((before === undefined) === (after === undefined)) return undefined;
  const item = after ?? before;
  const by = after === undefined ? -1 : 1;
  if (item?.kind === 'instance') {
    const service = serviceOf(state, item.value.service);
    return service && { project: service.value.project, services: 0, instances: by };
  }
  if (item?.kind !== 'service') return undefined;
  let instances = 0;
  for (const _ of state.bucket(children('instance', item.id))) instances += by;
  return { project: item.value.project, services: by, instances };
}

/** What projects hold, kept current with every change, so that a limit costs one look. */
export class Tally {
  readonly #usages = new Map<string, Usage>();

  of(project: string): Usage {
    return this.#usages.get(project) ?? NO_USAGE;
  }

  /** To be called before the state itself changes. */
  count(state: Reader, before: AnyItem | undefined, after: AnyItem | undefined): void {
    const move = moveOf(state, before, after);
    if (move === undefined) return;
    const { services, instances } = this.of(move.project);
    const now = { services: services + move.services, instances: instances + move.instances };
    // Of a draft, what is taken away is less than nothing.
    if (now.services === 0 && now.instances === 0) this.#usages.delete(move.project);
    else this.#usages.set(move.project, now);
  }
}

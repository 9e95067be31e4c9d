import type { Caller } from '../domain/command.ts';
import { parseName } from '../domain/names.ts';

/** Counts the subscriptions of each project's service accounts on this node, and bounds them. */
export class ProjectSubscriptions {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  /** Without a bound nothing is counted. */
  constructor(max = Number.POSITIVE_INFINITY) {
    this.#max = max;
  }

  /** Why the caller may have no more of them, as a sentence without its full stop. */
  whyFull(caller: Caller): string | undefined {
    const project = this.#projectOf(caller);
    const count = project === undefined ? 0 : (this.#counts.get(project) ?? 0);
    if (count < this.#max) return undefined;
    return `projects/${project} has ${count} subscriptions on this node, and ${this.#max} is PROJECT_MAX_SUBSCRIPTIONS`;
  }

  add(caller: Caller): void {
    this.#move(caller, 1);
  }

  remove(caller: Caller): void {
    this.#move(caller, -1);
  }

  #move(caller: Caller, by: 1 | -1): void {
    const project = this.#projectOf(caller);
    if (project === undefined) return;
    const count = (this.#counts.get(project) ?? 0) + by;
    if (count > 0) this.#counts.set(project, count);
    else this.#counts.delete(project);
  }

  #projectOf(caller: Caller): string | undefined {
    if (caller.kind !== 'serviceAccount' || this.#max === Number.POSITIVE_INFINITY) return undefined;
    return parseName(caller.account)?.parent;
  }
}

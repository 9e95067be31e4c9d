import type { Instance } from '../../domain/instances/instance.ts';
import { LiveEndpoint, type EndpointOwner } from './live-endpoint.ts';

/** How one list differs from the one before it. */
export interface SetChange {
  readonly added: readonly LiveEndpoint[];
  readonly removed: readonly LiveEndpoint[];
  readonly changed: readonly LiveEndpoint[];
}

/** The endpoints of a list of instances: the same ones for as long as name and generation are the same (INS6). */
export class EndpointSet {
  readonly #owner: EndpointOwner;
  #byName = new Map<string, LiveEndpoint>();
  #all: readonly LiveEndpoint[] = [];
  #isFirst = true;

  constructor(owner: EndpointOwner) {
    this.#owner = owner;
  }

  get all(): readonly LiveEndpoint[] {
    return this.#all;
  }

  update(instances: readonly Instance[], now: number): SetChange {
    // Those of the first list are new to this process only.
    const since = this.#isFirst ? -Infinity : now;
    this.#isFirst = false;
    const before = this.#byName;
    const added: LiveEndpoint[] = [];
    const changed: LiveEndpoint[] = [];
    this.#byName = new Map();
    for (const instance of instances) {
      const known = before.get(instance.name);
      if (known === undefined || known.instance.generation !== instance.generation) {
        const endpoint = new LiveEndpoint(instance, since, this.#owner);
        added.push(endpoint);
        this.#byName.set(instance.name, endpoint);
        continue;
      }
      if (known.instance.revision !== instance.revision) changed.push(known);
      known.instance = instance;
      this.#byName.set(instance.name, known);
    }
    const removed = this.#all.filter((endpoint) => this.#byName.get(endpoint.name) !== endpoint);
    for (const endpoint of removed) endpoint.gone();
    this.#all = [...this.#byName.values()];
    return { added, removed, changed };
  }
}

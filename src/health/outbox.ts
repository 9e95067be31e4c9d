import type { Caller, InstanceCommand } from '../domain/command.ts';
import { provesIdentity, type HealthStatus } from '../domain/instances/check.ts';
import type { InstanceEdit } from '../domain/instances/edits.ts';
import type { Item } from '../domain/item.ts';
import type { Verdict } from '../registry/commit-loop.ts';
import type { Advice, Group } from './groups.ts';
import type { Tracked } from './tracked.ts';

const SIGNALBOX: Caller = { kind: 'signalbox', subject: 'signalbox' };

export interface OutboxDeps {
  readonly registry: { execute(command: InstanceCommand): Promise<Verdict> };
  /** The term that is decided under now. */
  readonly fence: () => number | undefined;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Whether it fails still. */
  readonly stillFails: (tracked: Tracked) => boolean;
  /** No command about the instance is under way any more. `before`: the item that it was decided on. */
  readonly onAnswer: (tracked: Tracked, before: Item<'instance'>) => void;
  readonly onWorked: () => void;
  /** Nothing was decided, or nobody knows; called before `onAnswer`. */
  readonly onFailed: (error: unknown) => void;
}

interface Batch {
  readonly edits: InstanceEdit[];
  readonly tracked: { readonly tracked: Tracked; readonly before: Item<'instance'> }[];
  readonly advices: { readonly group: Group; readonly advice: Advice }[];
}

/** What a tick has decided: one command, and so at most one revision, for each service. */
export class Outbox {
  readonly #deps: OutboxDeps;
  #batches = new Map<string, Batch>();

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  status(tracked: Tracked, status: HealthStatus, reason: string, isProven: boolean): void {
    const { id, value, revision } = tracked.item;
    const proven = isProven && provesIdentity(value.check);
    this.#put(tracked, status, {
      op: 'status',
      id,
      generation: value.generation,
      status,
      reason,
      proven,
      seen: revision,
      // It waits for the commits before it, and for the database, and may be heard in that time.
      ...(status === 'critical' && { stands: () => this.#deps.stillFails(tracked) }),
    });
  }

  deregister(tracked: Tracked): void {
    const { id, value } = tracked.item;
    this.#put(tracked, 'removal', { op: 'deregister', id, generation: value.generation, ifCritical: true });
  }

  advise(group: Group, advice: Advice): void {
    const batch = this.#batchOf(group.service);
    batch.edits.push({ op: 'advise', id: group.advisoryId, advisory: advice.body });
    batch.advices.push({ group, advice });
    group.isAdvising = true;
  }

  flush(): void {
    if (this.#batches.size === 0) return;
    const batches = this.#batches;
    this.#batches = new Map();
    const fence = this.#deps.fence();
    for (const batch of batches.values()) void this.#send(batch, fence);
  }

  #put(tracked: Tracked, asked: Tracked['asked'], edit: InstanceEdit): void {
    const batch = this.#batchOf(tracked.item.value.service);
    batch.edits.push(edit);
    batch.tracked.push({ tracked, before: tracked.item });
    tracked.asked = asked;
  }

  #batchOf(service: string): Batch {
    let batch = this.#batches.get(service);
    if (batch === undefined) this.#batches.set(service, (batch = { edits: [], tracked: [], advices: [] }));
    return batch;
  }

  async #send({ edits, tracked, advices }: Batch, fence: number | undefined): Promise<void> {
    const { registry, clock, onAnswer, onFailed, onWorked } = this.#deps;
    let worked = false;
    try {
      const held = fence === undefined ? {} : { fence };
      const verdict = await registry.execute({ caller: SIGNALBOX, at: clock(), instances: edits, ...held });
      worked = verdict.ok;
      if (verdict.ok) onWorked();
      else onFailed(new Error(verdict.refusal.detail));
    } catch (error) {
      onFailed(error);
    }
    for (const { group, advice } of advices) {
      group.isAdvising = false;
      if (worked && group.advice === advice) group.advice = undefined;
    }
    for (const { tracked: each, before } of tracked) {
      each.asked = undefined;
      each.leaving?.returned(each);
      onAnswer(each, before);
    }
  }
}

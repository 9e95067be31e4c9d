import type { Instance } from '../../domain/instances/instance.ts';
import type { SignalboxError } from '../errors.ts';
import type { Resource, Snapshot, Watch } from '../watch/watch.ts';
import type { InstanceSource } from './endpoint.ts';

/** The instances that a watch selects; one array for each snapshot. */
export class WatchedInstances implements InstanceSource {
  readonly #watch: Watch;
  #of: Snapshot | undefined;
  #instances: readonly Instance[] | undefined;
  #isClosed = false;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  get instances(): readonly Instance[] | undefined {
    const { snapshot } = this.#watch;
    if (snapshot !== this.#of) {
      this.#of = snapshot;
      this.#instances = snapshot === undefined ? undefined : Array.from(snapshot.values(), asInstance);
    }
    return this.#instances;
  }

  get state(): InstanceSource['state'] {
    if (this.#isClosed) return 'closed';
    const { state } = this.#watch;
    return state === 'closed' && this.#isLeftWithList ? 'stale' : state;
  }

  get error(): SignalboxError | undefined {
    return this.#isClosed ? undefined : this.#watch.error;
  }

  get age(): number {
    return this.#watch.age;
  }

  onChange(listener: () => void): () => void {
    const stops = [this.#watch.on('change', listener), this.#watch.on('state', listener)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  async ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void> {
    if (this.#isClosed || !this.#isLeftWithList) await this.#watch.ready(options);
  }

  close(): void {
    this.#isClosed = true;
    this.#watch.close();
  }

  /** Who is turned away for good knows nothing better than what was held last. */
  get #isLeftWithList(): boolean {
    const { state, error, snapshot } = this.#watch;
    return state === 'closed' && error !== undefined && snapshot !== undefined;
  }
}

/** What `{kind: 'instance'}` selects is instances. */
const asInstance = (resource: Resource): Instance => resource as unknown as Instance;

import { topicOf } from '../../domain/selector.ts';
import type { Select } from '../../protocol/frames.ts';
import type { LinkFrame } from '../connection/link.ts';
import type { Copies } from '../connection/state.ts';
import type { SignalboxError } from '../errors.ts';
import { Subscription, type SubscriptionDeps } from './subscription.ts';
import type { WatchHandle } from './handle.ts';

/** All that a client watches: selections that are alike share one subscription. */
export class Subscriptions {
  readonly #deps: SubscriptionDeps;
  readonly #onChange: () => void;
  readonly #byTopic = new Map<string, Subscription>();
  readonly #byId = new Map<string, Subscription>();
  /** As the server names them over this link. */
  readonly #byServerTopic = new Map<string, Subscription>();
  #epoch: string | undefined;
  #wasLinked = false;
  #made = 0;

  constructor(deps: SubscriptionDeps) {
    this.#onChange = deps.onChange;
    this.#deps = { ...deps, onChange: () => this.#changed() };
  }

  get size(): number {
    return this.#byId.size;
  }

  /** What is watched has all been looked for on disk. */
  get prepared(): boolean {
    return [...this.#byId.values()].every(({ prepared }) => prepared);
  }

  get copies(): Copies {
    let copies: Copies = 'current';
    for (const { state } of this.#byId.values()) {
      if (state === 'loading') return 'missing';
      if (state === 'stale') copies = 'held';
    }
    if (this.#epoch !== undefined || copies !== 'current') return copies;
    // Nothing is watched, and there is no link either.
    return this.#wasLinked ? 'held' : 'missing';
  }

  watch(select: Select): WatchHandle {
    const topic = topicOf(select);
    let subscription = this.#byTopic.get(topic);
    if (subscription === undefined) {
      this.#made += 1;
      subscription = new Subscription(`w${this.#made}`, topic, select, this.#deps);
      this.#byTopic.set(topic, subscription);
      this.#byId.set(subscription.id, subscription);
      const handle = subscription.handle();
      if (this.#epoch !== undefined) subscription.linked(this.#epoch);
      this.#onChange();
      return handle;
    }
    return subscription.handle();
  }

  linked(epoch: string): void {
    this.#epoch = epoch;
    this.#wasLinked = true;
    for (const subscription of this.#byId.values()) subscription.linked(epoch);
  }

  unlinked(): void {
    this.#epoch = undefined;
    this.#byServerTopic.clear();
    for (const subscription of this.#byId.values()) subscription.unlinked();
  }

  /** Whether it was about a subscription. */
  take(frame: LinkFrame): boolean {
    switch (frame.type) {
      case 'subscribed': {
        const subscription = this.#byId.get(frame.id);
        if (subscription !== undefined) this.#byServerTopic.set(frame.topic, subscription);
        subscription?.subscribed(frame.topic);
        return true;
      }
      case 'snapshot':
      case 'synced':
      case 'change':
      case 'reset':
        this.#byServerTopic.get(frame.topic)?.fold(frame);
        return true;
      case 'bookmark':
        for (const topic of Object.keys(frame.digests)) this.#byServerTopic.get(topic)?.fold(frame);
        return true;
      case 'error': {
        const subscription = this.#byId.get(frame.id ?? '');
        subscription?.refused(frame);
        return subscription !== undefined;
      }
      default:
        return false;
    }
  }

  /** For good. */
  end(error: SignalboxError | undefined): void {
    for (const subscription of this.#byId.values()) subscription.end(error);
  }

  #changed(): void {
    for (const subscription of this.#byId.values()) {
      if (subscription.watched) continue;
      this.#byId.delete(subscription.id);
      this.#byTopic.delete(subscription.topic);
      const named = subscription.serverTopic;
      if (named !== undefined) this.#byServerTopic.delete(named);
      subscription.end(undefined);
    }
    this.#onChange();
  }
}

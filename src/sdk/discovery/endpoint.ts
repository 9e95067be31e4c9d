import type { Instance } from '../../domain/instances/instance.ts';
import type { SignalboxError } from '../errors.ts';

/** How a call went, for balancing and ejection. `cancelled`: the caller gave up; it says nothing about the instance. */
export type Outcome = 'ok' | 'failed' | 'cancelled';

/**
 * One live instance as its callers see it: the same object for as long as the instance is of the same generation, so that what was
 * learned of it stays with it and with nobody who comes to its address later (INS6).
 */
export interface Endpoint {
  /** As last pushed; replaced when the instance changes. */
  readonly instance: Instance;
  /** `{protocol}://{address}:{port}`, IPv6 in brackets. */
  readonly url: string;
  /** Calls under way. */
  readonly outstanding: number;
  /** A call begins. Each is ended once. */
  begin(): void;
  /**
   * The headers of a good answer to a call have come, after `latencyMs`; its body may go on for as long as it likes. It need not be
   * told: then it is known only at the end that the call was answered.
   */
  answered(latencyMs: number): void;
  /** `wasAnswered`: `answered` was told of this call. */
  end(outcome: Outcome, latencyMs: number, wasAnswered?: boolean): void;
}

/** Where the instances of one service come from: a watch, or addresses that a developer has written down. */
export interface InstanceSource {
  /** Undefined until the first complete snapshot (PUSH7). Only instances that can be called (`passing`). */
  readonly instances: readonly Instance[] | undefined;
  readonly state: 'loading' | 'live' | 'stale' | 'closed';
  /** Milliseconds since it was last known to be current. */
  readonly age: number;
  /** Why nothing comes any more, although nobody has closed it: `stale` from then on where there is a list, else `closed`. */
  readonly error?: SignalboxError | undefined;
  /** Called after `instances` or `state` has changed. */
  onChange(listener: () => void): () => void;
  ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>;
  close(): void;
}

/** What calling needs of discovery. */
export interface Targets {
  readonly service: string;
  /** `exclude`: those that were tried already; they are picked only if nobody else is there. */
  pick(key?: string, exclude?: ReadonlySet<Endpoint>): Endpoint | undefined;
  /** Called with each endpoint that is gone, so that its connections are drained. */
  onGone(listener: (endpoint: Endpoint) => void): () => void;
}

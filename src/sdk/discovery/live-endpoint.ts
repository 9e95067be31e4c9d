import type { Instance } from '../../domain/instances/instance.ts';
import type { Candidate } from './balancers/balancer.ts';
import type { Load } from './balancers/consistent-hash.ts';
import type { Endpoint, Outcome } from './endpoint.ts';
import { faded, observed } from './latency.ts';

/** The latency of one whose first call failed. */
const FAILED_FIRST_MS = 1000;

/** `in`: called as any other. `out`: left out until a time. `probing`: one call at a time decides. */
export type Phase = 'in' | 'out' | 'probing';

/** What an endpoint needs of the pool that it is in. */
export interface EndpointOwner {
  readonly load: Load;
  readonly decayMs: number;
  /** Monotonic milliseconds. */
  now(): number;
  ended(endpoint: LiveEndpoint, outcome: Outcome, now: number): void;
}

/** An instance of one generation, with all that was learned of it here. */
export class LiveEndpoint implements Endpoint, Candidate {
  instance: Instance;
  readonly name: string;
  readonly url: string;
  /** When it was first seen; -Infinity where it was there from the beginning. */
  readonly since: number;
  outstanding = 0;
  /** Of those, the ones whose answers have begun. */
  #answering = 0;
  latencyMs = 0;
  failuresInRow = 0;
  /** Calls that ended in this interval. */
  ok = 0;
  failed = 0;
  phase: Phase = 'in';
  /** How near its caller it is; 0 is nearest. */
  tier = 0;
  /** While `out`, when that ends; while `probing`, when the probe that is under way is given up. */
  until = -Infinity;
  /** While `probing`: no probe is under way. */
  isProbeDue = false;
  ejectionsInRow = 0;
  /** When it was last let in again, and how long it had been out. */
  returnedAt = -Infinity;
  lastOutMs = 0;
  readonly #owner: EndpointOwner;
  #observedAt = 0;
  #isGone = false;

  constructor(instance: Instance, since: number, owner: EndpointOwner) {
    this.instance = instance;
    this.name = instance.name;
    this.url = urlOf(instance);
    this.since = since;
    this.#owner = owner;
  }

  get usable(): boolean {
    return this.phase === 'in' || this.isProbeDue;
  }

  begin(): void {
    this.outstanding += 1;
    if (!this.#isGone) this.#owner.load.outstanding += 1;
  }

  answered(latencyMs: number): void {
    if (this.#answering >= this.outstanding) return;
    this.#answering += 1;
    // What is open for long, as a stream, is no reason to think of it as of one that has never answered.
    if (this.latencyMs === 0 && !this.#isGone) this.#observe('ok', latencyMs, this.#owner.now());
  }

  end(outcome: Outcome, latencyMs: number, wasAnswered = false): void {
    if (this.outstanding === 0) return;
    this.outstanding -= 1;
    const answering = wasAnswered ? this.#answering - 1 : this.#answering;
    this.#answering = Math.max(0, Math.min(answering, this.outstanding));
    if (this.#isGone) return;
    this.#owner.load.outstanding -= 1;
    const now = this.#owner.now();
    if (outcome !== 'cancelled') this.#observe(outcome, latencyMs, now);
    this.#owner.ended(this, outcome, now);
  }

  /** Without calls that wait for an answer, its latency counts for less and less. */
  fade(now: number): void {
    if (this.latencyMs === 0 || this.outstanding > this.#answering) return;
    // Never 0, which would mean that nothing is known.
    this.latencyMs = Math.max(faded(this.latencyMs, now - this.#observedAt, this.#owner.decayMs), Number.MIN_VALUE);
    this.#observedAt = now;
  }

  /** Its calls that are under way are nobody's load any more. */
  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#owner.load.outstanding -= this.outstanding;
  }

  /** A failure that came fast is no sign of speed: it never makes the latency lower, nor is it a good first impression. */
  #observe(outcome: Outcome, latencyMs: number, now: number): void {
    const least = outcome === 'ok' ? Number.MIN_VALUE : this.latencyMs || FAILED_FIRST_MS;
    const heard = Math.max(latencyMs, least);
    this.latencyMs = observed(this.latencyMs, heard, now - this.#observedAt, this.#owner.decayMs);
    this.#observedAt = now;
  }
}

function urlOf({ protocol, address, port }: Instance): string {
  return `${protocol}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

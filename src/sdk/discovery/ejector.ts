import type { Random } from './balancers/balancer.ts';
import { ejectionMs, mayBeOut, outliers } from './ejection.ts';
import type { Outcome } from './endpoint.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import type { EjectionOptions } from './options.ts';

/** A probe that was handed out and of which nothing was heard for so long is given up: whoever had it may never have called. */
const PROBE_MS = 10_000;

export interface EjectorDeps {
  readonly options: Required<EjectionOptions>;
  readonly random: Random;
  /** Somebody is out, or in again. */
  readonly onChange: () => void;
  readonly onEjected: (endpoint: LiveEndpoint, forMs: number) => void;
}

/** Leaves out who fails, for a time that grows, and lets it in again after one call that went well. */
export class Ejector {
  readonly #deps: EjectorDeps;
  #members: readonly LiveEndpoint[] = [];
  #countedUntil = -Infinity;

  constructor(deps: EjectorDeps) {
    this.#deps = deps;
  }

  /** What time has brought, to those that calls go to at present. Answers when it brings something next. */
  advance(members: readonly LiveEndpoint[], now: number): number {
    this.#members = members;
    this.#count(now);
    this.#keepFloor(now);
    let next = this.#countedUntil;
    for (const endpoint of members) {
      if (endpoint.phase === 'in' || endpoint.isProbeDue) continue;
      if (endpoint.until <= now) {
        endpoint.phase = 'probing';
        endpoint.isProbeDue = true;
      } else next = Math.min(next, endpoint.until);
    }
    return next;
  }

  handOut(endpoint: LiveEndpoint, now: number): void {
    endpoint.isProbeDue = false;
    endpoint.until = now + PROBE_MS;
    this.#deps.onChange();
  }

  ended(endpoint: LiveEndpoint, outcome: Outcome, now: number): void {
    if (outcome === 'cancelled') return this.#probeAgain(endpoint);
    if (outcome === 'ok') {
      endpoint.ok += 1;
      endpoint.failuresInRow = 0;
      if (endpoint.phase === 'probing') this.admit(endpoint, now);
      return;
    }
    endpoint.failed += 1;
    endpoint.failuresInRow += 1;
    if (endpoint.phase === 'probing') this.#eject(endpoint, now);
    else if (endpoint.failuresInRow >= this.#deps.options.failures && this.#hasRoom(endpoint)) {
      this.#eject(endpoint, now);
    }
  }

  admit(endpoint: LiveEndpoint, now: number): void {
    endpoint.phase = 'in';
    endpoint.isProbeDue = false;
    endpoint.failuresInRow = 0;
    endpoint.returnedAt = now;
    this.#deps.onChange();
  }

  #eject(endpoint: LiveEndpoint, now: number): void {
    const { options, random, onChange, onEjected } = this.#deps;
    // Who stayed in for as long as it had been out begins anew.
    const isInARow = endpoint.phase === 'probing' || now - endpoint.returnedAt <= endpoint.lastOutMs;
    endpoint.ejectionsInRow = isInARow ? endpoint.ejectionsInRow + 1 : 1;
    endpoint.lastOutMs = ejectionMs(endpoint.ejectionsInRow, options, random());
    endpoint.phase = 'out';
    endpoint.isProbeDue = false;
    endpoint.until = now + endpoint.lastOutMs;
    onEjected(endpoint, endpoint.lastOutMs);
    onChange();
  }

  #probeAgain(endpoint: LiveEndpoint): void {
    if (endpoint.phase !== 'probing' || endpoint.outstanding > 0) return;
    endpoint.isProbeDue = true;
    this.#deps.onChange();
  }

  #hasRoom(endpoint: LiveEndpoint): boolean {
    if (endpoint.phase !== 'in' || !this.#members.includes(endpoint)) return false;
    return this.#out().length < mayBeOut(this.#members.length, this.#deps.options);
  }

  #out(): LiveEndpoint[] {
    return this.#members.filter(({ phase }) => phase !== 'in');
  }

  /** When others have left, or weigh nothing any more, those that would be back first come back. */
  #keepFloor(now: number): void {
    const out = this.#out();
    const excess = out.length - mayBeOut(this.#members.length, this.#deps.options);
    if (excess <= 0) return;
    const soonest = out.sort((a, b) => Number(a.phase === 'out') - Number(b.phase === 'out') || a.until - b.until);
    for (const endpoint of soonest.slice(0, excess)) this.admit(endpoint, now);
  }

  /** At the end of an interval, those that did worse in it than the others are left out, as far as there is room. */
  #count(now: number): void {
    if (now < this.#countedUntil) return;
    const { outlierFactor, outlierCalls, outlierMs } = this.#deps.options;
    this.#countedUntil = now + outlierMs;
    for (const endpoint of outliers(this.#members, outlierFactor, outlierCalls)) {
      if (this.#hasRoom(endpoint)) this.#eject(endpoint, now);
    }
    for (const endpoint of this.#members) endpoint.ok = endpoint.failed = 0;
  }
}

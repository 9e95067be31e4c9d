import type { Logger } from 'pino';
import { RegistryUnavailable } from '../registry/errors.ts';

/** What was not decided, or changed nothing, is tried again after this time. */
export const RETRY_MS = 1000;

/** When decisions may be sent again after some could not be written. */
export class Retry {
  readonly #log: Pick<Logger, 'warn'>;
  #at = Number.NEGATIVE_INFINITY;
  #isFenced = false;

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  get at(): number {
    return this.#at;
  }

  failed(error: unknown, now: number): void {
    this.#isFenced = error instanceof RegistryUnavailable && error.code === 'fenced';
    // Another node has it by now, or this one under another term: that is no failure.
    if (this.#at === Number.NEGATIVE_INFINITY && !this.#isFenced)
      this.#log.warn({ err: error }, 'what checks have found could not be written; it will be tried again');
    this.#at = now + RETRY_MS;
  }

  worked(): void {
    this.#at = Number.NEGATIVE_INFINITY;
  }

  /** What was fenced off can be decided again. */
  claimsChanged(): void {
    if (this.#isFenced) this.worked();
    this.#isFenced = false;
  }
}

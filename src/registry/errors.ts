/** Why the registry cannot carry out any command now. */
export type UnavailableCode =
  'store-unavailable' | 'outcome-unknown' | 'overloaded' | 'not-ready' | 'draining' | 'fenced' | 'leases-unavailable';

/**
 * A command that was not refused but could not be carried out either. With every code but `outcome-unknown` nothing was
 * written.
 */
export class RegistryUnavailable extends Error {
  readonly code: UnavailableCode;
  /** Whole seconds, at least 1. */
  readonly retryAfterSeconds: number;

  constructor(code: UnavailableCode, retryAfterSeconds: number, options: { readonly cause?: unknown } = {}) {
    super(`the registry cannot carry out commands: ${code}`, options);
    this.name = 'RegistryUnavailable';
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

import type { Head } from '../domain/position.ts';
import type { Store } from '../store/port.ts';

export interface TrimOptions {
  readonly store: Pick<Store, 'trim'>;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** Drops what the log no longer has to hold (REV4). */
export const trimHistory = ({ store, maxAgeMs, maxBytes, clock }: TrimOptions): Promise<Head> =>
  store.trim({ before: clock() - maxAgeMs, maxBytes });

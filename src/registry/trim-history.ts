import type { Head } from '../domain/position.ts';
import type { Store } from '../store/port.ts';

export interface TrimOptions {
  readonly store: Pick<Store, 'trim'>;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

/** Drops what the log no longer has to hold (REV4). */
export const trimHistory = ({ store, maxAgeMs, maxBytes }: TrimOptions): Promise<Head> =>
  store.trim({ maxAgeMs, maxBytes });

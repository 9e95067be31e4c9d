import type { Time } from '../time.ts';

/** Resolves after a time, or when the signal ends it. */
export function pause(time: Pick<Time, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = time.after(ms, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}

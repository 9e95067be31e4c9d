import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Of what several say, the newest that is heard within `graceMs` of the first: who was cut off may answer first, and wrongly.
 * Rejects with one of the reasons when nobody knows.
 */
export async function newest<T extends { readonly epoch: number }>(asked: readonly Promise<T>[], graceMs: number) {
  const heard: T[] = [];
  const all = Promise.allSettled(asked.map(async (each) => heard.push(await each)));
  try {
    await Promise.any(asked);
  } catch (error) {
    throw (error as AggregateError).errors[0];
  }
  const given = new AbortController();
  await Promise.race([all, sleep(graceMs, undefined, { signal: given.signal }).catch(() => undefined)]);
  given.abort();
  return heard.reduce((best, each) => (each.epoch > best.epoch ? each : best));
}

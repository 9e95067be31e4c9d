/** A process whose embedded database dies in the middle of a commit; it reports how the store behaved. */
import type { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { entry, put } from './fixtures.ts';

export interface CrashReport {
  fatal: string[];
  pending: string;
  after: string[];
  closedMs: number;
}

const workers: Worker[] = [];
process.on('worker', (worker) => workers.push(worker));
const fatal: string[] = [];
const store = await openEmbedded({
  dir: process.argv[2] ?? '',
  onFatal: (error) => fatal.push(error.message),
});

const { epoch, revision: base } = await store.head();
const pending = outcome(store.commit({ epoch, base, entries: [entry(base + 1, [put('late', base + 1)])] }));
await workers.at(-1)?.terminate();
await sleep(50);
const after = [await outcome(store.head()), await outcome(store.load()), await outcome(store.newEpoch())];
const began = performance.now();
await store.close();
const report: CrashReport = { fatal, pending: await pending, after, closedMs: performance.now() - began };
process.send?.(report);

async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    return String(await call);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) return String(error);
    return error.outcomeUnknown ? 'StoreUnavailable, outcome unknown' : 'StoreUnavailable';
  }
}

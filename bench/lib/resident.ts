import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from './bench.ts';

const SETTLE_MS = 1000;

/** Bytes of resident memory after garbage collections, asked for through the inspector. */
export async function residentBytes({ child, inspector }: Server): Promise<number> {
  await sleep(SETTLE_MS);
  await inspector?.collectGarbage();
  await sleep(SETTLE_MS);
  await inspector?.collectGarbage();
  return child.memory().rss;
}

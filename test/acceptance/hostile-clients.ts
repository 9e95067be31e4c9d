import { afterEach } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Random } from '../support/random.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { RawSocket, RawWatch } from './raw-socket.ts';
import { WatchClient } from './watch-client.ts';

/** What a test opened, ended after it in the reverse order. */
export const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

export async function raw(port: number): Promise<RawWatch> {
  const opened = await RawWatch.open(port);
  leftovers.push(() => opened.destroy());
  return opened;
}

export async function tcp(port: number): Promise<RawSocket> {
  const opened = await RawSocket.connect(port);
  leftovers.push(() => opened.destroy());
  return opened;
}

export async function open(url: string): Promise<WatchClient> {
  const client = await WatchClient.open(url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

/** Resident memory of the server, in MiB. */
export function memory({ pid }: Signalbox): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1]) / 1024;
}

/** Regions with about 8 KB each, written by several callers at once. Resolves with the latency of each write, sorted. */
export async function writeFat(url: string, seed: number, writers: number, each: number): Promise<number[]> {
  const latencies: number[] = [];
  const padding = Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [`padding-${i}-${'x'.repeat(48)}`, 'y'.repeat(63)]),
  );
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const random = new Random(seed + writer);
      for (let i = 0; i < each; i++) {
        const started = performance.now();
        const labels = { ...padding, n: `${seed}-${writer}-${i}` };
        const { status, body } = await call(url, 'PUT', `/v1/regions/fat-${random.below(20)}`, {
          title: 'fat',
          labels,
        });
        if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
        latencies.push(performance.now() - started);
      }
    }),
  );
  return latencies.toSorted((a, b) => a - b);
}

/** What the server has written. */
export const linesOf = (server: Signalbox): { level: number; msg?: string; err?: { stack?: string } }[] =>
  server
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg?: string; err?: { stack?: string } });

export const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(sorted.length * q)] ?? 0;
export const headOf = async (url: string): Promise<number> =>
  (await call(url, 'GET', '/v1/state')).body.revision as number;

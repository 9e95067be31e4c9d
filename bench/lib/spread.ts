import { setTimeout as sleep } from 'node:timers/promises';
import { changesIn, type Watcher } from './crowd.ts';
import { HttpConnection } from './http-load.ts';
import { median, Samples } from './stats.ts';
import { untilAt, type Target } from './target.ts';

export const WATCHERS = 1000;
export const EVERY_MS = 50;

/** Milliseconds from a write being sent until it is seen. */
export interface Spread {
  /** Over all changes and watchers. */
  readonly p50: number;
  readonly p99: number;
  /** By the last watcher; the median over the changes. */
  readonly last: number;
  /** From the answer to the write until half of the watchers have it, the median over the changes; below zero where they have it first. */
  readonly afterAnswer: number;
}

/** Where is watched, and where is written; the same node, or two. */
export interface Way {
  readonly watch: Pick<Target, 'name' | 'crowd' | 'head'>;
  readonly write: Pick<Target, 'server' | 'write' | 'head'>;
}

/** A change at a time to a crowd of its own; throws unless each watcher sees each of them once. */
export async function spread({ watch, write }: Way, changes: number): Promise<Spread> {
  const base = (await write.head()).revision;
  // Otherwise a watcher might be told of an earlier change in one frame with a new one.
  await untilAt(watch, base);
  const crowd = watch.crowd(WATCHERS);
  await crowd.open();
  const writer = await HttpConnection.connect(write.server.port);
  const times = { sent: new Float64Array(changes), answered: new Float64Array(changes) };
  const seen = { count: new Uint32Array(changes), half: new Float64Array(changes), last: new Float64Array(changes) };
  const samples = new Samples();
  const counts = new Map<Watcher, number>(crowd.watchers.map((watcher) => [watcher, 0]));
  let writing = Promise.resolve();
  try {
    await crowd.within(60_000, 'seen every change', (resolve) => {
      let left = WATCHERS;
      crowd.onChange = (watcher, revision, frame): void => {
        if (revision <= base) return;
        const now = performance.now();
        for (let n = Math.max(watcher.revision - base, 0); n < revision - base; n++) {
          samples.push(now - (times.sent[n] ?? NaN));
          seen.count[n] = (seen.count[n] ?? 0) + 1;
          if (seen.count[n] === WATCHERS / 2) seen.half[n] = now;
          seen.last[n] = now;
        }
        counts.set(watcher, (counts.get(watcher) ?? 0) + changesIn(frame));
        if (revision === base + changes && --left === 0) resolve();
      };
      return (writing = writeAll(write, writer, times));
    });
    // Watchers may have the last change before its writer has its answer.
    await writing;
  } finally {
    writer.close();
    await crowd.cut();
  }
  const wrong = [...counts.values()].filter((count) => count !== changes).length;
  if (wrong > 0) throw new Error(`${watch.name}: ${wrong} watchers did not see each of ${changes} changes once`);
  return {
    p50: samples.percentile(0.5),
    p99: samples.percentile(0.99),
    last: median([...seen.last].map((at, n) => at - (times.sent[n] ?? NaN))),
    afterAnswer: median([...seen.half].map((at, n) => at - (times.answered[n] ?? NaN))),
  };
}

let sequence = 0;

async function writeAll(
  target: Way['write'],
  writer: HttpConnection,
  { sent, answered }: Readonly<Record<'sent' | 'answered', Float64Array>>,
): Promise<void> {
  const start = performance.now();
  for (let n = 0; n < sent.length; n++) {
    await sleep(Math.max(0, start + n * EVERY_MS - performance.now()));
    const request = target.write(0, ++sequence);
    sent[n] = performance.now();
    const status = await writer.request(request);
    if (status >= 300) throw new Error(`a write was answered ${status}: ${writer.failure}`);
    answered[n] = performance.now();
  }
}

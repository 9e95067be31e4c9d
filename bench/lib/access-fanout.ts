import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { byTurns, type Comparison, type Turn } from './by-turns.ts';
import { ranMs } from './cpu.ts';
import { changesIn, Crowd } from './crowd.ts';
import { bearing, connectAll, requestBytes, type HttpConnection } from './http-load.ts';
import { runtimeServiceId } from './instances.ts';
import {
  deploymentOf,
  deploymentPathOf,
  headOf,
  PROJECTS,
  regionOf,
  SERVICES,
  servicesSeenBy,
  type Side,
  type Who,
} from './sides.ts';
import { Samples } from './stats.ts';

const WATCHERS = 1000;
const WRITERS = 16;
/** Changes of one burst and of one round of single ones: of each service in turn, so half of them to private ones. */
const BURST = 5 * SERVICES;
const PACED = SERVICES;
const EVERY_MS = 30;

const WHO: readonly Who[] = ['an administrator', 'a reader', 'a service account'];
const TOPICS = ['everything', 'a service each'] as const;

/** Who watches what. */
interface Scene {
  readonly who: Who;
  readonly topics: (typeof TOPICS)[number];
}

/** The watchers of one side, and who writes what they are told. */
interface Audience {
  readonly side: Side;
  readonly crowd: Crowd;
  readonly writers: readonly HttpConnection[];
  /** Of the n-th watcher: the services whose changes it is due. */
  readonly due: readonly ReadonlySet<number>[];
}

/** 1,000 watchers on each side, the same changes to both, and the same of them due to each. */
export async function* deliveries(bench: Bench, sides: readonly [Side, Side]): AsyncGenerator<Comparison> {
  for (const topics of TOPICS) for (const who of WHO) yield* ofScene(bench, sides, { who, topics });
}

async function* ofScene(bench: Bench, [a, b]: readonly [Side, Side], scene: Scene): AsyncGenerator<Comparison> {
  const [off, on] = [await gather(a, scene), await gather(b, scene)];
  try {
    const name = `${scene.who.replace(/^an? /, '')}s watch ${scene.topics}`;
    const bursts = [() => burst(off), () => burst(on)] as const;
    await byTurns(1, bursts);
    const { result } = await bench.measure(b.server, () => byTurns(bench.quick ? 6 : 12, bursts));
    yield { what: `${name}: deliveries`, unit: 'per second', compared: result };

    const [before, after] = [new Samples(), new Samples()];
    const single = [() => oneByOne(off, before), () => oneByOne(on, after)] as const;
    const { cpuUs } = await byTurns(bench.quick ? 1 : 4, single);
    for (const share of [0.5, 0.99]) {
      const rates = [before.percentile(share), after.percentile(share)] as const;
      const compared = { rates, ratio: rates[1] / rates[0], cpuUs };
      yield { what: `${name}: from write sent to seen, p${100 * share}`, unit: 'ms', compared };
    }
  } finally {
    for (const { crowd, writers } of [off, on]) {
      for (const writer of writers) writer.close();
      await crowd.cut();
    }
  }
}

/**
 * Where access is off, the watchers select by region what the others are shown of everything: who is told less has less
 * to do, and that is not what is measured.
 */
async function gather(side: Side, { who, topics }: Scene): Promise<Audience> {
  const seen = Array.from({ length: WATCHERS }, (_, n) => [...new Set(servicesSeenBy(who, n % PROJECTS))]);
  const due = seen.map((services, n) =>
    topics === 'everything' ? services : [services[Math.floor(n / PROJECTS) % services.length] ?? 0],
  );
  const selectOf = (n: number): object => {
    const services = due[n] ?? [];
    if (topics === 'a service each') return { kind: 'deployment', services: services.map(runtimeServiceId) };
    const isAll = side.name === 'on' || services.length === SERVICES;
    return { kind: 'deployment', ...(!isAll && { regions: [...new Set(services.map(regionOf))] }) };
  };
  const crowd = new Crowd({
    url: `ws://127.0.0.1:${side.server.port}/v1/watch`,
    count: WATCHERS,
    hello: (n) => JSON.stringify({ type: 'subscribe', id: 'bench', select: selectOf(n) }),
    token: (n) => side.token(who, who === 'a service account' ? n % PROJECTS : undefined),
    wave: 250,
  });
  await crowd.open();
  const writers = await connectAll(side.server.port, WRITERS);
  return { side, crowd, writers, due: due.map((services) => new Set(services)) };
}

let sequence = 0;

async function write({ side }: Audience, writer: HttpConnection, service: number): Promise<void> {
  const put = requestBytes('PUT', deploymentPathOf(service), deploymentOf(service, ++sequence));
  const status = await writer.request(bearing(side.token('an administrator'), put));
  if (status >= 300) throw new Error(`a write was answered ${status}: ${writer.failure}`);
}

/** Many writers at once: how many changes reach watchers in a second. */
async function burst(audience: Audience): Promise<Turn> {
  let next = 0;
  return delivered(
    audience,
    BURST,
    () => {},
    () =>
      Promise.all(
        audience.writers.map(async (writer) => {
          while (next < BURST) await write(audience, writer, next++ % SERVICES);
        }),
      ),
  );
}

/** One change after the other: how long each takes to each watcher. */
async function oneByOne(audience: Audience, samples: Samples): Promise<Turn> {
  const base = (await headOf(audience.side)).revision;
  const sent = new Float64Array(PACED);
  const observe: Observe = (n, from, to) => {
    const now = performance.now();
    for (let change = Math.max(from - base, 0); change < to - base; change++) {
      if (audience.due[n]?.has(change % SERVICES)) samples.push(now - (sent[change] ?? NaN));
    }
  };
  return delivered(audience, PACED, observe, async () => {
    const start = performance.now();
    const [writer] = audience.writers;
    for (let change = 0; change < PACED && writer !== undefined; change++) {
      await sleep(Math.max(0, start + change * EVERY_MS - performance.now()));
      sent[change] = performance.now();
      await write(audience, writer, change % SERVICES);
    }
  });
}

/** The n-th watcher, which stood at one revision, was told of changes up to another. */
type Observe = (n: number, from: number, to: number) => void;

/** Until each watcher has each change that it is due, once. */
async function delivered(
  { side, crowd, due }: Audience,
  changes: number,
  observe: Observe,
  run: () => Promise<unknown>,
): Promise<Turn> {
  const wanted = due.map((services) => (services.size * changes) / SERVICES);
  const counts = wanted.map(() => 0);
  const numbers = new Map(crowd.watchers.map((watcher, n) => [watcher, n]));
  const total = wanted.reduce((sum, count) => sum + count, 0);
  const { pid } = side.server.child;
  const ran = ranMs(pid);
  const started = performance.now();
  let left = total;
  await crowd.within(60_000, 'all changes', (resolve) => {
    crowd.onChange = (watcher, revision, frame): void => {
      const n = numbers.get(watcher) ?? 0;
      observe(n, watcher.revision, revision);
      const count = changesIn(frame);
      counts[n] = (counts[n] ?? 0) + count;
      left -= count;
      if (left === 0) resolve();
    };
    return run().then(() => {});
  });
  const seconds = (performance.now() - started) / 1000;
  const cpuMs = ranMs(pid) - ran;
  const wrong = counts.filter((count, n) => count !== wanted[n]).length;
  if (wrong > 0) throw new Error(`access ${side.name}: ${wrong} watchers did not see just what they are due`);
  return { count: total, seconds, cpuMs };
}

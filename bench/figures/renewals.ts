import { setTimeout as sleep } from 'node:timers/promises';
import { TRIES_OF_LONG, type Bench, type Server } from '../lib/bench.ts';
import { head } from '../lib/catalog.ts';
import { sharesOf } from '../lib/cpu.ts';
import { driveAll } from '../lib/drive-all.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { requestBytes } from '../lib/http-load.ts';
import { instanceId, notPassing, REGISTER_PATH, registerMany } from '../lib/instances.ts';
import { growthOf, loopDelay, readMetrics, type Metrics } from '../lib/metrics.ts';
import { Paced } from '../lib/paced.ts';
import type { BenchRedis } from '../lib/redis.ts';
import { requestRate } from '../lib/request-rate.ts';
import { median } from '../lib/stats.ts';

const COUNT = 20_000;
const BATCH = 100;
const BATCHES = COUNT / BATCH;
const LEASE = { check: { type: 'ttl', ttl: '10s' } };
const EVERY_MS = 3300;
const DUE = COUNT / (EVERY_MS / 1000);
/** Of what is due: a batch more or less may be under way at either end. */
const KEEPS_UP = 0.98;
/** Registered between two renewals of all before them: few enough that none runs out meanwhile. */
const AT_ONCE = 2500;
const EXPIRED = 'signalbox_leases_expired_total';
/** Instances whose leases are renewed one by one. */
const SINGLE = 1000;

export const renewals: Figure = {
  name: 'renewals',
  title: `renewing leases by HTTP: one by one, and ${COUNT.toLocaleString('en')} leases of 10 s every ${EVERY_MS / 1000} s in batches of ${BATCH}`,
  async measure(bench: Bench): Promise<Outcome> {
    const notes: string[] = [];
    if (bench.options.floorsOnly) return { rows: [await oneByOne(bench, undefined, notes)], notes };
    const rows: Row[] = [];
    for (const start of [embedded, onPostgres, withRedis]) {
      const keeper = await start(bench);
      const single = await oneByOne(bench, keeper, notes);
      rows.push(single, ...(await inBatches(bench, keeper, notes)));
      await bench.endFigure();
    }
    return { rows, notes };
  },
};

/** A node, by where its leases are. */
interface Keeper {
  readonly name: string;
  readonly server: Server;
  readonly redis?: BenchRedis;
}

const embedded = async (bench: Bench): Promise<Keeper> => ({
  name: 'alone, embedded database',
  server: await bench.signalbox(bench.directory()),
});

const onPostgres = async (bench: Bench): Promise<Keeper> => ({
  name: 'PostgreSQL alone',
  server: await bench.signalbox(await bench.database()),
});

const withRedis = async (bench: Bench): Promise<Keeper> => {
  const redis = await bench.redis();
  const server = await bench.signalbox(await bench.database(), undefined, { REDIS_URL: redis.url });
  return { name: 'PostgreSQL and Redis', server, redis };
};

async function oneByOne(bench: Bench, keeper: Keeper | undefined, notes: string[]): Promise<Row> {
  const signalbox = keeper?.server;
  const prefix = keeper === undefined ? '' : `${keeper.name}: `;
  const fastify = await bench.floor('fastify.ts');
  // The last of all, so that the batches begin with none.
  const requests = Array.from({ length: SINGLE }, (_, n) =>
    requestBytes('POST', `${REGISTER_PATH}/${instanceId(COUNT + n)}/renew`),
  );
  const bare = requestBytes('POST', `/${instanceId(COUNT)}/renew`);
  if (signalbox !== undefined) await registerMany(signalbox.port, COUNT, SINGLE);
  const floors: number[] = [];
  const values: number[] = [];
  let turn = 0;
  const next = (): Buffer => requests[turn++ % SINGLE] ?? bare;
  for (let round = 0; round < bench.rounds; round++) {
    floors.push(await requestRate(bench, fastify, () => bare, notes, 'Fastify, 204'));
    if (signalbox !== undefined) values.push(await requestRate(bench, signalbox, next, notes, `${prefix}one by one`));
  }
  await fastify.stop();
  return {
    what: `${prefix}one by one, 64 connections`,
    unit: 'per second',
    floor: median(floors),
    floorName: 'bare Fastify, 204',
    ...(values.length > 0 && { value: median(values) }),
  };
}

async function inBatches(bench: Bench, keeper: Keeper, notes: string[]): Promise<Row[]> {
  const { name, server, redis } = keeper;
  const { port } = server;
  const before = { revision: (await head(port)).revision, metrics: await readMetrics(port) };
  const batches = Array.from({ length: BATCHES }, (_, batch) =>
    renewRequest(Array.from({ length: BATCH }, (_id, n) => instanceId(batch * BATCH + n))),
  );
  const next = (n: number): Buffer => batches[n % BATCHES] ?? never(n);
  for (let first = 0; first < COUNT; first += AT_ONCE) {
    await registerMany(port, first, AT_ONCE, () => LEASE);
    await driveAll({ port, connections: 4, count: (first + AT_ONCE) / BATCH, next });
  }
  const paced = await Paced.start({ port, connections: 8, perSecond: BATCHES / (EVERY_MS / 1000), next });
  try {
    // Each lease is in the rhythm then.
    await sleep(1.2 * EVERY_MS);
    paced.samples.clear();
    const { result, cpu } = await bench.undisturbed(
      notes,
      () => bench.measure(server, () => watched(bench, keeper, paced)),
      TRIES_OF_LONG,
    );
    const rate = result.renewed / cpu.seconds;
    const postgres = cpu.database - (result.redis ?? 0);
    notes.push(
      `${name}, batches: answered in ${paced.percentiles()}; the event loop was late by ${result.p99.toFixed(1)} ms (p99), ${result.max.toFixed(1)} ms at most, ` +
        `as nodejs_eventloop_lag of /metrics says, less its sampling of 10 ms; ${result.renewed.toLocaleString('en')} renewals in ${cpu.seconds.toFixed(0)} s; ` +
        `Signalbox took ${percent(cpu.server)}, PostgreSQL ${percent(postgres)}${redis === undefined ? '' : `, Redis ${percent(result.redis ?? NaN)}`} of their core, the client ${percent(cpu.client)} of its own.`,
    );
    await checkAlive(port, before);
    notes.push(
      `${name}: no lease ran out: ${COUNT.toLocaleString('en')} registrations, as many revisions, and all are renewed in the end.`,
    );
    return [
      {
        what: `${name}: leases renewed, in batches`,
        unit: 'per second',
        floor: DUE,
        floorName: 'due',
        value: rate,
        goal: { atLeastFloors: KEEPS_UP },
      },
      { what: `${name}: delay of the event loop, p99`, unit: 'ms', value: result.p99, goal: { atMost: 20 } },
      { what: `${name}: CPU`, unit: '% of a core', value: 100 * cpu.server },
      ...(redis === undefined
        ? []
        : [{ what: `${name}: CPU of Redis`, unit: '% of a core' as const, value: 100 * (result.redis ?? NaN) }]),
    ];
  } finally {
    paced.stop();
  }
}

const renewRequest = (ids: readonly string[]): Buffer =>
  requestBytes('POST', `${REGISTER_PATH}/renew`, JSON.stringify({ instances: ids }));

async function watched(bench: Bench, { server: { port }, redis }: Keeper, paced: Paced) {
  const share = redis && sharesOf({ redis: redis.pid });
  await readMetrics(port);
  const before = paced.answered();
  await sleep(bench.quick ? 6000 : 15_000);
  const renewed = (paced.answered() - before) * BATCH;
  return { ...loopDelay(await readMetrics(port)), renewed, redis: share?.().redis };
}

/** A lease that runs out is a revision, and it stays critical until it is renewed. */
async function checkAlive(port: number, before: { revision: number; metrics: Metrics }): Promise<void> {
  const expired = growthOf(EXPIRED, before.metrics, await readMetrics(port));
  if (expired !== 0) throw new Error(`${expired} leases ran out`);
  const more = (await head(port)).revision - before.revision - COUNT;
  if (more !== 0) throw new Error(`${COUNT} registrations and their renewals made ${more} revisions too many`);
  const items = await notPassing(port);
  if (items.length > 0) throw new Error(`instances are not passing: ${JSON.stringify(items)}`);
}

function never(n: number): never {
  throw new Error(`there is no batch ${n}`);
}

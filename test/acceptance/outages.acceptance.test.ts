import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createDatabase, startPostgres, type PrivatePostgres, type TestDatabase } from '../support/postgres.ts';
import { Random } from '../support/random.ts';
import { call, type Answer, type Signalbox } from '../support/signalbox.ts';
import { Link } from '../cluster/link.ts';
import { freeze } from './freeze.ts';
import { readLog, readState, replay, stateOf } from './history.ts';
import { Caller, revisionOf, type Reply } from './http-client.ts';
import { startNode } from './nodes.ts';
import { applyWorld } from './random-writer.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

/** A statement is given up after 10 s and 1 s of grace, and a write may wait for one of those; the rest is the machine. */
const BOUND_MS = 25_000;
/** What is in memory is answered at once, however busy the machine. */
const READ_BOUND_MS = 5000;

const ENV = { TAIL_INTERVAL: '200ms', WATCH_HEARTBEAT: '4s' };

/** A 503 as it has to be: a problem with a type, and when to come again. Answers the type. */
function unavailable(reply: Pick<Reply, 'status' | 'body'>, header: (name: string) => unknown): string {
  expect(reply.status).toBe(503);
  expect(header('content-type')).toContain('application/problem+json');
  expect(Number(header('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(reply.body).toMatchObject({ status: 503, retryAfter: Number(header('retry-after')) });
  return reply.body.type as string;
}

/**
 * Somebody who makes one resource after the other and sends each until it is acknowledged, as Retry-After asks but
 * without the wait. Remembers with which revision.
 */
class Insistent {
  readonly acknowledged = new Map<string, number>();
  readonly types = new Map<string, number>();
  slowest = 0;
  readonly #caller: Caller;
  readonly #name: string;

  constructor(url: string, name: string) {
    this.#caller = new Caller(url);
    this.#name = name;
  }

  async work(goOn: () => boolean): Promise<void> {
    for (let n = this.acknowledged.size; goOn(); n++) await this.#insist(`regions/${this.#name}-${n}`);
    this.#caller.close();
  }

  async #insist(name: string): Promise<void> {
    for (;;) {
      const began = performance.now();
      const reply = await this.#caller.send('PUT', `/v1/${name}`, { title: name });
      this.slowest = Math.max(this.slowest, performance.now() - began);
      if (reply.status === 200 || reply.status === 201) {
        this.acknowledged.set(name, revisionOf(reply));
        return;
      }
      const type = unavailable(reply, (header) => reply.headers[header]);
      this.types.set(type, (this.types.get(type) ?? 0) + 1);
      await sleep(20);
    }
  }
}

/** Everything acknowledged is in the log, once, under its revision; nothing else is, and the log makes the state. */
async function audit(url: string, insistent: readonly Insistent[]): Promise<void> {
  const log = await readLog(url);
  const made = new Map<string, number[]>();
  for (const { revision, changes } of log) {
    for (const { key } of changes) made.set(key, [...(made.get(key) ?? []), revision]);
  }
  const acknowledged = insistent.flatMap((one) => [...one.acknowledged]);
  expect(acknowledged.length).toBeGreaterThan(0);
  const wrong = acknowledged.filter(([name, revision]) => String(made.get(name)) !== String(revision));
  expect(wrong).toEqual([]);
  expect(stateOf(replay(log))).toEqual(await readState(url));
}

const totals = (insistent: readonly Insistent[]): Record<string, number> => {
  const sum: Record<string, number> = {};
  for (const { types } of insistent) for (const [type, n] of types) sum[type] = (sum[type] ?? 0) + n;
  return sum;
};

describe('the database goes away while a node runs', () => {
  let server: PrivatePostgres;
  let node: Signalbox;
  let watcher: WatchClient;
  let topic: string;
  beforeAll(async () => {
    server = await startPostgres();
    node = await startNode({ ...ENV, DATABASE_URL: server.url });
    await applyWorld(node.url);
    watcher = await WatchClient.open(node.url);
    topic = await watcher.sync('all', { kind: '*' });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await server.destroy();
  });

  const send = (method: string, path: string, body?: unknown): Promise<Answer> => call(node.url, method, path, body);

  /** Reads of every sort, health and watches, old and new. */
  async function stillReads(): Promise<void> {
    const { body: state } = await send('GET', '/v1/state');
    const paths = [
      '/livez',
      '/readyz',
      '/metrics',
      '/v1/regions',
      '/v1/services/iam.example.com',
      '/v1/export',
      '/v1/coverage',
    ];
    // What is in memory of the log is told as well.
    paths.push(`/v1/changes?since=${state.revision - 1}`);
    for (const path of paths) {
      const began = performance.now();
      expect({ path, status: (await send('GET', path)).status }).toEqual({ path, status: 200 });
      expect(performance.now() - began).toBeLessThan(READ_BOUND_MS);
    }
    expect((await send('GET', '/readyz')).body).toMatchObject({ ready: true, revision: state.revision });
    // A dry run is a question, which memory answers.
    expect((await send('PUT', '/v1/regions/asked?dryRun=true', { title: 'Asked' })).status).toBe(201);
    const other = await WatchClient.open(node.url);
    await other.sync('new', { kind: 'region' });
    await other.sync('resumed', { kind: 'service' }, { epoch: state.epoch, revision: state.revision - 1 });
    await other.end();
    expect(watcher.closed).toBeUndefined();
    // The one that was there before hears a bookmark, with a digest of what it should hold.
    await watcher.reached(topic, state.revision as number, watcher.frames.length);
  }

  const said = (text: string): number => node.output().split(text).length - 1;

  async function comesBack(name: string): Promise<number> {
    const made = await until('writes are taken again, without a restart', async () => {
      const answer = await send('PUT', `/v1/regions/${name}`, { title: name });
      return answer.status < 300 ? answer : undefined;
    });
    await watcher.next('change', ({ changes }) => changes.some(({ key }) => key === `regions/${name}`));
    await until('the log says so', () => said('the database is back') === said('the database is away'));
    return made.body.revision as number;
  }

  test('stopped: reads and watches go on, writes answer 503 with Retry-After at once, and it recovers by itself', async () => {
    const { revision } = (await send('GET', '/v1/state')).body as { revision: number };
    await server.stop();
    for (const [method, path, body] of [
      ['PUT', '/v1/regions/away', { title: 'Away' }],
      ['PATCH', '/v1/regions/us-east', { title: 'Away' }],
      ['DELETE', '/v1/services/maps.example.com/deployments/us-east', undefined],
      ['POST', '/v1/apply', [{ name: 'regions/away', title: 'Away' }]],
      // Whether nothing changes is for the database to confirm as well.
      ['PUT', '/v1/projects/core', { title: 'Core' }],
    ] as const) {
      const began = performance.now();
      const answer = await send(method, path, body);
      expect(unavailable(answer, (name) => answer.headers.get(name))).toMatch(/store-unavailable|outcome-unknown/);
      expect(performance.now() - began).toBeLessThan(READ_BOUND_MS);
    }
    const many = await Promise.all(
      Array.from({ length: 64 }, (_, i) => send('PUT', `/v1/regions/many-${i}`, { title: 'Many' })),
    );
    for (const answer of many) {
      expect(unavailable(answer, (name) => answer.headers.get(name))).toBe('/problems/store-unavailable');
    }
    await stillReads();
    await until('the log says so', () => said('the database is away') === 1);
    await server.start();
    expect(await comesBack('back-from-stop')).toBe(revision + 1);
    await audit(node.url, [
      Object.assign(new Insistent(node.url, '-'), {
        acknowledged: new Map([['regions/back-from-stop', revision + 1]]),
      }),
    ]);
    expect(said('the database is away')).toBe(1);
  }, 120_000);

  test('REV1 REV2 frozen, with its connections open: writes end in time, reads and watches go on, nothing acknowledged is lost', async () => {
    let writing = true;
    const insistent = Array.from({ length: 8 }, (_, i) => new Insistent(node.url, `frozen-${i}`));
    const work = Promise.all(insistent.map((one) => one.work(() => writing)));
    await until('writes are under way', () => insistent.every(({ acknowledged }) => acknowledged.size > 3));
    const thaw = await freeze(server.url);
    try {
      const answered = until('a write is given up', () => insistent.some(({ types }) => types.size > 0), BOUND_MS);
      await stillReads();
      await answered;
      await stillReads();
      // Those that come while it is known are answered no later.
      const began = performance.now();
      const late = await send('PUT', '/v1/regions/late', { title: 'Late' });
      expect(unavailable(late, (name) => late.headers.get(name))).toBe('/problems/store-unavailable');
      expect(performance.now() - began).toBeLessThan(BOUND_MS);
    } finally {
      await thaw();
    }
    await comesBack('back-from-frost');
    writing = false;
    await work;
    expect(Math.max(...insistent.map(({ slowest }) => slowest))).toBeLessThan(BOUND_MS);
    expect(totals(insistent)['/problems/outcome-unknown']).toBeGreaterThan(0);
    await audit(node.url, insistent);
    expect(watcher.closed).toBeUndefined();
  }, 120_000);

  test('REV1 REV2 killed under load and started again, twice: every write is acknowledged in the end, once', async () => {
    let writing = true;
    const insistent = Array.from({ length: 32 }, (_, i) => new Insistent(node.url, `killed-${i}`));
    const work = Promise.all(insistent.map((one) => one.work(() => writing)));
    for (let round = 1; round <= 2; round++) {
      const before = insistent.map(({ acknowledged }) => acknowledged.size);
      await until('writes are under way', () =>
        insistent.every((one, i) => one.acknowledged.size > (before[i] ?? 0) + 3),
      );
      await server.kill();
      await until('writes fail', () => insistent.every(({ types }) => types.size > 0));
      await server.start();
      await comesBack(`back-from-kill-${round}`);
    }
    writing = false;
    await work;
    await audit(node.url, insistent);
    // The watcher has heard of all of it, in order and once.
    const log = await readLog(node.url);
    await watcher.reached(topic, log.length);
    const told = watcher.frames.flatMap((frame) =>
      frame.type === 'change' ? frame.changes.map(({ revision }) => revision) : [],
    );
    expect(told).toEqual(log.flatMap(({ revision, changes }) => changes.map(() => revision)).slice(-told.length));
    expect(new Set(told).size).toBe(log.length - (log[0]?.revision ?? 0));
    expect(watcher.frames.filter(({ type }) => type === 'reset')).toEqual([]);
  }, 120_000);

  test('in an outage only so many writes wait, and a node that is told to end does so in time', async () => {
    const other = await startNode({
      ...ENV,
      DATABASE_URL: server.url,
      SHUTDOWN_TIMEOUT: '3s',
      DRAIN_SPREAD: '0s',
      WRITE_MAX_PENDING: '10',
    });
    const thaw = await freeze(server.url);
    try {
      // Ten may be on their way, and ten wait.
      const callers = Array.from({ length: 40 }, () => new Caller(other.url));
      const replies: Reply[] = [];
      const ends = callers.map((caller, i) =>
        caller.send('PUT', `/v1/regions/lost-${i}`, { title: 'Lost' }).then(
          (reply) => void replies.push(reply),
          (error: unknown) => error,
        ),
      );
      // The others hear at once that there is no room.
      await until('those for whom there is no room are answered', () => replies.length > 0, READ_BOUND_MS);
      const full = replies.map((reply) => unavailable(reply, (header) => reply.headers[header]));
      expect(new Set(full)).toEqual(new Set(['/problems/overloaded']));

      const began = performance.now();
      // Not everything was closed in order, and it says so.
      expect(await other.stop('SIGTERM')).toBe(1);
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(other.output()).toMatch(/shutting down: .* is not done after 3000 ms/);
      const lost = (await Promise.all(ends)).filter((end) => end !== undefined);
      expect(lost.length).toBeGreaterThan(0);
      for (const end of lost) expect(end).toMatchObject({ name: 'NoAnswer', torn: false });
      for (const caller of callers) caller.close();
    } finally {
      await thaw();
    }
  }, 60_000);

  test('told to end while the database is gone, a node ends in order', async () => {
    const other = await startNode({ ...ENV, DATABASE_URL: server.url });
    await server.stop();
    try {
      const answer = await call(other.url, 'PUT', '/v1/regions/gone', { title: 'Gone' });
      unavailable(answer, (name) => answer.headers.get(name));
      expect(await other.stop('SIGTERM')).toBe(0);
    } finally {
      await server.start();
    }
  }, 60_000);
});

describe('connections to the database that end while a node runs', () => {
  let database: TestDatabase;
  let admin: pg.Client;
  let proxy: Link;
  let node: Signalbox;
  beforeEach(async () => {
    database = await createDatabase();
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    proxy = await Link.open(database.url, new Random(1));
    node = await startNode({ ...ENV, DATABASE_URL: proxy.url });
  }, 180_000);
  afterEach(async () => {
    await node.stop('SIGKILL');
    await proxy.close();
    await admin.end();
    await database.drop();
  });

  const terminate = (where = 'true') =>
    admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND ${where}`,
    );

  test('REV1 REV2 pg_terminate_backend again and again during writes: nothing acknowledged is lost, nothing is made twice', async () => {
    const random = new Random(57);
    let writing = true;
    const insistent = Array.from({ length: 32 }, (_, i) => new Insistent(node.url, `cut-${i}`));
    const work = Promise.all(insistent.map((one) => one.work(() => writing)));
    for (let round = 0; round < 25; round++) {
      await sleep(random.below(120));
      await terminate();
    }
    await sleep(200);
    writing = false;
    await work;
    const types = totals(insistent);
    expect(types['/problems/outcome-unknown']).toBeGreaterThan(0);
    expect(
      Object.keys(types).filter((type) => !/^\/problems\/(?:store-unavailable|outcome-unknown)$/.test(type)),
    ).toEqual([]);
    await audit(node.url, insistent);
  }, 90_000);

  test('REV2 a commit that is ended in the middle is answered "outcome unknown", and was not made', async () => {
    await call(node.url, 'PUT', '/v1/regions/first', { title: 'First' });
    await admin.query('BEGIN');
    await admin.query('SELECT 1 FROM head FOR UPDATE');
    const answering = call(node.url, 'PUT', '/v1/regions/halved', { title: 'Halved' });
    await until('the commit waits', async () => {
      // Within a transaction PostgreSQL shows what it showed at the first look.
      await admin.query('SELECT pg_stat_clear_snapshot()');
      const { rowCount } = await admin.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rowCount === 1;
    });
    await terminate(`wait_event_type = 'Lock'`);
    const answer = await answering;
    expect(unavailable(answer, (name) => answer.headers.get(name))).toBe('/problems/outcome-unknown');
    await admin.query('ROLLBACK');
    expect((await call(node.url, 'GET', '/v1/regions/halved')).status).toBe(404);
    const again = await call(node.url, 'PUT', '/v1/regions/halved', { title: 'Halved' });
    expect(again.status).toBe(201);
    expect(again.headers.get('etag')).toBe('"2"');
    expect(await readLog(node.url)).toHaveLength(2);
  }, 60_000);

  test('REV2 REV3 a commit whose answer is lost is answered "outcome unknown", was made, and is not made again', async () => {
    const watcher = await WatchClient.open(node.url);
    const topic = await watcher.sync('all', { kind: '*' });
    await call(node.url, 'PUT', '/v1/regions/first', { title: 'First' });
    proxy.lose('down');
    const answering = call(node.url, 'PUT', '/v1/regions/unheard', { title: 'Unheard' });
    await until('it is committed', async () => {
      const { rows } = await admin.query<{ revision: string }>('SELECT revision FROM head');
      return rows[0]?.revision === '2';
    });
    proxy.heal();
    const answer = await answering;
    expect(unavailable(answer, (name) => answer.headers.get(name))).toBe('/problems/outcome-unknown');
    // Nobody asks for it: the node looks for itself, and tells its watchers.
    await watcher.next('change', ({ revision }) => revision === 2);
    const again = await call(node.url, 'PUT', '/v1/regions/unheard', { title: 'Unheard' });
    expect({ status: again.status, etag: again.headers.get('etag') }).toEqual({ status: 200, etag: '"2"' });
    const next = await call(node.url, 'PUT', '/v1/regions/next', { title: 'Next' });
    expect(next.headers.get('etag')).toBe('"3"');
    await watcher.reached(topic, 3);
    expect(
      watcher.frames.flatMap((frame) => (frame.type === 'change' ? frame.changes.map(({ key }) => key) : [])),
    ).toEqual(['regions/first', 'regions/unheard', 'regions/next']);
    expect(await readLog(node.url)).toHaveLength(3);
    await watcher.end();
  }, 60_000);
});

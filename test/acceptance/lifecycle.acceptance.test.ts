import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { trimHistory } from '../../src/registry/trim-history.ts';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Store } from '../../src/store/port.ts';
import { freePort } from '../support/free-port.ts';
import { call, temporaryDirectory, type Signalbox, type StartOptions } from '../support/signalbox.ts';
import { readLog, readState, replay, stateOf } from './history.ts';
import { embeddedHome, HOMES, postgresHome, type Home } from './homes.ts';
import { Caller, NoAnswer, revisionOf } from './http-client.ts';
import { spawnNode, startNode } from './nodes.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

/** What a busy machine adds to anything that takes a moment. */
const PATIENCE_MS = 20_000;

/** A TCP connection that says what it is told to, and nothing more. */
async function dial(
  port: number,
  text = '',
): Promise<{ readonly socket: Socket; readonly heard: () => string; readonly ended: () => boolean }> {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  let ended = false;
  socket.setEncoding('latin1').on('data', (data: string) => (heard += data));
  socket.on('error', () => {});
  socket.on('close', () => (ended = true));
  await new Promise<void>((done) => socket.once('connect', done));
  if (text !== '') socket.write(text);
  return { socket, heard: () => heard, ended: () => ended };
}

/** Runs a node that is to end by itself. */
async function endOf(options: StartOptions): Promise<{ code: number | null; output: string; ms: number }> {
  const began = performance.now();
  const node = await spawnNode(options);
  const stuck = setTimeout(() => void node.stop('SIGKILL'), 60_000);
  const code = await node.exited;
  clearTimeout(stuck);
  return { code, output: node.output(), ms: performance.now() - began };
}

const WATCHERS_MOVE = 'watchers are told to move';
const PHASES = [
  'the other nodes take over the checks',
  'load balancers notice',
  WATCHERS_MOVE,
  'no new connections, requests under way are answered',
  'writes that wait are committed',
  'background jobs stop',
  'the audit is written',
  'the other nodes forget this one',
  'Redis and the database are closed',
];

const phasesOf = (node: Signalbox): string[] =>
  [...node.output().matchAll(/"msg":"shutting down: ([^"]*)"/g)].map(([, name]) => name ?? '');

describe.each(HOMES)('an orderly end, on $database', ({ database, makeHome }) => {
  let home: Home;
  /** Each test ends the node that is there, and leaves another one. */
  let node: Signalbox;
  beforeAll(async () => {
    home = await makeHome();
    node = await startNode({ ...home.env, SHUTDOWN_TIMEOUT: '60s' });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  test.each(['callers go on writing', 'callers stop and keep their connections'])(
    'REV2 a signal while writes are in flight, and %s: what is answered is durable, what is not was not made',
    async (manner) => {
      const quiet = await WatchClient.open(node.url);
      const watching = await WatchClient.open(node.url);
      await watching.sync('all', { kind: '*' });
      // None of these may hold it up: somebody who never speaks, and somebody who idles.
      const silent = await dial(node.port);
      const idle = await dial(node.port, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await until('the idle one is answered', () => idle.heard().includes('200 OK'));

      const before = (await call(node.url, 'GET', '/v1/state')).body.revision as number;
      const acknowledged = new Map<string, number>();
      const unanswered: string[] = [];
      const torn: unknown[] = [];
      let stopping = false;
      const callers = Array.from({ length: 64 }, () => new Caller(node.url));
      const work = callers.map(async (caller, i) => {
        for (let n = 0; !stopping || manner === 'callers go on writing'; n++) {
          const name = `regions/end-${before}-${i}-${n}`;
          try {
            const reply = await caller.send('PUT', `/v1/${name}`, { title: name });
            expect(reply.status).toBe(201);
            acknowledged.set(name, revisionOf(reply));
          } catch (error) {
            if (!(error instanceof NoAnswer)) throw error;
            unanswered.push(name);
            if (error.torn || !/^(ECONNRESET|ECONNREFUSED|EPIPE)$/.test(String(error.code))) torn.push(error);
            return;
          }
        }
      });
      await until('writes are under way', () => acknowledged.size > 300);
      stopping = true;
      const began = performance.now();
      const code = await node.stop(database === 'PostgreSQL' ? 'SIGINT' : 'SIGTERM');
      const took = performance.now() - began;
      await Promise.all(work);
      for (const caller of callers) caller.close();
      for (const { socket } of [silent, idle]) socket.destroy();

      expect({ code, phases: phasesOf(node).slice(1) }).toEqual({ code: 0, phases: PHASES });
      // After half of SHUTDOWN_TIMEOUT connections are cut off; nothing of the kind was needed.
      expect(took).toBeLessThan(PATIENCE_MS);
      expect(torn).toEqual([]);
      for (const client of [quiet, watching]) {
        const { code: closeCode, reason } = await client.untilClosed();
        expect(closeCode).toBe(4000);
        const { retryAfterMs } = JSON.parse(reason) as { retryAfterMs: number };
        expect(retryAfterMs).toBeGreaterThanOrEqual(0);
        expect(retryAfterMs).toBeLessThanOrEqual(2000);
      }

      node = await startNode({ ...home.env, SHUTDOWN_TIMEOUT: '60s' });
      const log = await readLog(node.url);
      const made = new Map(log.flatMap(({ revision, changes }) => changes.map(({ key }) => [key, revision] as const)));
      expect([...acknowledged].filter(([name, revision]) => made.get(name) !== revision)).toEqual([]);
      expect(unanswered.filter((name) => made.has(name))).toEqual([]);
      expect(log.length).toBe(before + acknowledged.size);
      expect(stateOf(replay(log))).toEqual(await readState(node.url));
    },
    120_000,
  );

  test('after kill -9 a node starts at once on what the other left', async () => {
    const { body } = await call(node.url, 'PUT', '/v1/regions/kept', { title: 'Kept' });
    const dying = node.stop('SIGKILL');
    node = await startNode({ ...home.env, SHUTDOWN_TIMEOUT: '60s' });
    await dying;
    expect((await call(node.url, 'GET', '/v1/regions/kept')).body).toEqual(body);
    expect((await call(node.url, 'PUT', '/v1/regions/next', { title: 'Next' })).body.revision).toBe(body.revision + 1);
    expect(await node.stop()).toBe(0);
  }, 120_000);
});

describe('an end that somebody holds up', () => {
  test('a request that never ends is cut off, a watcher that comes late is told to move, and the rest is closed in order', async () => {
    const home = await embeddedHome();
    const node = await startNode({ ...home.env, SHUTDOWN_TIMEOUT: '8s' });
    const half = await dial(
      node.port,
      'PUT /v1/regions/half HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"title":',
    );
    const late = await dial(node.port, 'GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n');
    await until('both have been read', async () => (await call(node.url, 'GET', '/livez')).status === 200);
    const began = performance.now();
    const ended = node.stop('SIGTERM');
    await until('the server takes no more', () => phasesOf(node).includes(WATCHERS_MOVE));
    late.socket.write(
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: signalbox.v1\r\n\r\n',
    );
    await until('the late watcher is told', () => late.heard().includes('retryAfterMs'));
    expect(late.heard()).toContain('HTTP/1.1 101');
    // The close frame: code 4000.
    expect(late.heard()).toContain('\u000f\u00a0{"retryAfterMs":');
    expect(await ended).toBe(0);
    expect(performance.now() - began).toBeLessThan(9000);
    expect(phasesOf(node).slice(1)).toEqual(PHASES);
    await until('both are cut off', () => half.ended() && late.ended());
    expect(half.heard()).toBe('');
    await home.drop();
  }, 60_000);
});

describe('a data directory has one process', () => {
  test('others are refused and say why, and the first goes on undisturbed', async () => {
    const home = await embeddedHome();
    const first = await startNode(home.env);
    const watcher = await WatchClient.open(first.url);
    await watcher.sync('all', { kind: '*' });
    let writing = true;
    const work = (async () => {
      const caller = new Caller(first.url);
      let n = 0;
      while (writing)
        expect((await caller.send('PUT', `/v1/regions/mine-${(n += 1)}`, { title: 'Mine' })).status).toBe(201);
      caller.close();
      return n;
    })();
    const rivals = await Promise.all([endOf({ env: home.env }), endOf({ env: home.env })]);
    for (const { code, output } of rivals) {
      expect(code).toBe(1);
      expect(output).toMatch(/could not start: the data directory .* is in use by another Signalbox process/);
      expect(output).toContain('DATA_DIR');
      expect(output).not.toContain('    at ');
    }
    writing = false;
    const made = await work;
    expect(made).toBeGreaterThan(10);
    expect(await readLog(first.url)).toHaveLength(made);
    expect(watcher.closed).toBeUndefined();
    expect(await first.stop()).toBe(0);
    await home.drop();
  }, 120_000);
});

describe('a node that cannot start says why', () => {
  test('SEC2 a HOST that is not loopback is refused', async () => {
    const hosts = ['0.0.0.0', '::', '192.0.2.7', 'signalbox.example.com'];
    const ends = await Promise.all(hosts.map((HOST) => endOf({ env: { HOST } })));
    for (const { code, output } of ends) {
      expect(code).toBe(2);
      expect(output).toMatch(/^HOST must be a loopback address .*OIDC_ISSUERS .*\(SEC2\)/);
      expect(output.trim().split('\n')).toHaveLength(1);
    }
  }, 60_000);

  test('every setting that is wrong is told at once, and no secret', async () => {
    const env = {
      HOST: '0.0.0.0',
      LOG_LEVEL: 'loud',
      TAIL_INTERVAL: 'soon',
      BODY_MAX_BYTES: '1',
      DATABASE_URL: 'mysql://me:hush@db/x',
    };
    const { code, output } = await endOf({ env, port: 99_999 });
    expect(code).toBe(2);
    const lines = output.trim().split('\n');
    expect(lines.map((line) => line.split(' ')[0]).sort()).toEqual([
      'BODY_MAX_BYTES',
      'DATABASE_URL',
      'HOST',
      'LOG_LEVEL',
      'PORT',
      'TAIL_INTERVAL',
    ]);
    for (const line of lines) expect(line).toContain('must be');
    expect(output).not.toContain('hush');
  }, 60_000);

  test('a PORT that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1').unref();
    await new Promise((done) => taken.once('listening', done));
    const { port } = taken.address() as AddressInfo;
    const home = await postgresHome();
    const { code, output } = await endOf({ env: home.env, port });
    expect(code).toBe(1);
    expect(output).toContain(`Signalbox could not start: another program listens on 127.0.0.1:${port}`);
    expect(output).not.toContain('    at ');
    await new Promise((done) => taken.close(done));
    // Nothing is left behind that would be in the way of the next start.
    expect(await (await startNode(home.env, { port })).stop()).toBe(0);
    await home.drop();
  }, 120_000);

  test('a DATABASE_URL where nobody listens, nobody answers, or nobody knows the user', async () => {
    const hole = createServer((socket) => void socket.on('error', () => {}).unref())
      .listen(0, '127.0.0.1')
      .unref();
    await new Promise((done) => hole.once('listening', done));
    const home = await postgresHome();
    const stranger = new URL(home.env['DATABASE_URL'] ?? '');
    stranger.username = 'nobody-we-know';
    stranger.password = 'hush';
    const places: readonly [url: string, says: RegExp][] = [
      [`postgresql://me:hush@127.0.0.1:${await freePort()}/db`, /ECONNREFUSED/],
      [`postgresql://me:hush@127.0.0.1:${(hole.address() as AddressInfo).port}/db`, /timeout/],
      [stranger.href, /authentication failed|does not exist/],
    ];
    const ends = await Promise.all(places.map(([DATABASE_URL]) => endOf({ env: { DATABASE_URL } })));
    for (const [i, { code, output, ms }] of ends.entries()) {
      expect(code).toBe(1);
      expect(output).toMatch(/Signalbox could not start: open the database: .*DATABASE_URL/);
      expect(output).toMatch(places[i]?.[1] ?? '');
      expect(output).not.toContain('hush');
      expect(output).not.toContain('    at ');
      expect(ms).toBeLessThan(PATIENCE_MS);
    }
    hole.close();
    await home.drop();
  }, 90_000);
});

describe.each(HOMES)('a new epoch, on $database', ({ makeHome }) => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await makeHome();
  });
  afterEach(() => node.stop('SIGKILL'));
  afterAll(() => home.drop());

  test('REV4 NEW_EPOCH begins a new history at the same state; positions of the old one start over', async () => {
    node = await startNode(home.env);
    for (const id of ['one', 'two', 'three']) await call(node.url, 'PUT', `/v1/regions/${id}`, { title: id });
    const old = (await call(node.url, 'GET', '/v1/state')).body as { epoch: string; revision: number };
    const state = await readState(node.url);
    await node.stop();

    node = await startNode({ ...home.env, NEW_EPOCH: 'true' });
    const now = (await call(node.url, 'GET', '/v1/state')).body as { epoch: string; revision: number };
    expect(now.epoch).not.toBe(old.epoch);
    expect(now.revision).toBe(old.revision);
    expect(await readState(node.url)).toEqual(state);
    const stale = await call(node.url, 'GET', `/v1/changes?since=1&epoch=${old.epoch}`);
    expect(stale.status).toBe(410);
    expect(stale.body).toMatchObject({
      type: '/problems/start-over',
      reason: 'epoch',
      head: { epoch: now.epoch, revision: now.revision },
    });
    const watcher = await WatchClient.open(node.url);
    const topic = await watcher.sync('old', { kind: 'region' }, { epoch: old.epoch, revision: 1 });
    expect(watcher.frames.map(({ type }) => type)).toEqual(['welcome', 'subscribed', 'reset', 'snapshot', 'synced']);
    expect(watcher.frames[2]).toMatchObject({ type: 'reset', topic, reason: 'epoch' });
    await watcher.end();
    expect((await call(node.url, 'PUT', '/v1/regions/four', { title: 'four' })).body.revision).toBe(old.revision + 1);
    await node.stop();

    // A restart alone begins nothing.
    node = await startNode(home.env);
    expect((await call(node.url, 'GET', '/v1/state')).body).toMatchObject({
      epoch: now.epoch,
      revision: old.revision + 1,
    });
  }, 180_000);
});

test('REV4 a node that runs while another begins a new epoch takes its watchers along', async () => {
  const home = await postgresHome();
  const node = await startNode({ ...home.env, TAIL_INTERVAL: '200ms' });
  await call(node.url, 'PUT', '/v1/regions/one', { title: 'one' });
  const watcher = await WatchClient.open(node.url);
  const topic = await watcher.sync('all', { kind: '*' });
  const other = await startNode({ ...home.env, NEW_EPOCH: 'true' });
  await watcher.next('reset', ({ reason }) => reason === 'epoch');
  const { epoch, revision } = (await call(other.url, 'GET', '/v1/state')).body as { epoch: string; revision: number };
  expect((await call(node.url, 'GET', '/v1/state')).body).toMatchObject({ epoch, revision: 1 });
  // Whoever comes now is told the new epoch, and can come back with it.
  const later = await WatchClient.open(node.url);
  expect(later.welcome).toMatchObject({ epoch, revision });
  await later.sync('back', { kind: '*' }, { epoch: later.welcome.epoch, revision });
  expect(later.frames.map(({ type }) => type)).toEqual(['welcome', 'subscribed', 'synced']);
  // And writes go on, from both.
  expect((await call(node.url, 'PUT', '/v1/regions/two', { title: 'two' })).body.revision).toBe(2);
  expect((await call(other.url, 'PUT', '/v1/regions/three', { title: 'three' })).body.revision).toBe(3);
  await watcher.next('change', ({ topic: of, revision: at }) => of === topic && at === 3);
  await Promise.all([watcher.end(), later.end()]);
  expect(await Promise.all([node.stop(), other.stop()])).toEqual([0, 0]);
  await home.drop();
}, 120_000);

describe.each(HOMES)('the history is trimmed, on $database', ({ makeHome }) => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await makeHome();
    node = await startNode(home.env);
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  const openStore = (): Promise<Store> => {
    const { DATABASE_URL, DATA_DIR = '' } = home.env;
    return DATABASE_URL === undefined ? openEmbedded({ dir: DATA_DIR }) : openPostgres({ url: DATABASE_URL });
  };

  test('REV4 by age: what is kept is told, and positions before it start over', async () => {
    const put = async (n: number): Promise<void> =>
      void (await call(node.url, 'PUT', `/v1/regions/r-${n}`, { title: `${n}` }));
    for (let n = 1; n <= 20; n++) await put(n);
    const state = await readState(node.url);
    const { epoch } = (await call(node.url, 'GET', '/v1/state')).body as { epoch: string };

    await node.stop();
    await home.run(`UPDATE change_log SET at = at - interval '2 hours' WHERE revision <= 10`);
    const store = await openStore();
    const { trimmed } = await trimHistory({ store, maxAgeMs: 3_600_000, maxBytes: 1e9 });
    expect(trimmed).toBe(10);
    await store.close();
    node = await startNode(home.env);

    const old = await call(node.url, 'GET', `/v1/changes?since=${trimmed - 1}&epoch=${epoch}`);
    expect(old.status).toBe(410);
    expect(old.body).toMatchObject({ reason: 'trimmed', head: { epoch, revision: 20 } });
    expect((await call(node.url, 'GET', '/v1/state')).body).toMatchObject({ trimmed, revision: 20 });
    expect(await readLog(node.url, trimmed)).toHaveLength(10);
    const watcher = await WatchClient.open(node.url);
    await watcher.sync('old', { kind: 'region' }, { epoch, revision: trimmed - 1 });
    await watcher.sync('kept', { kind: '*' }, { epoch, revision: trimmed });
    const told = watcher.frames.map((frame) => (frame.type === 'reset' ? frame.reason : frame.type));
    expect(told).toEqual(['welcome', 'subscribed', 'trimmed', 'snapshot', 'synced', 'subscribed', 'change', 'synced']);
    await watcher.end();
    expect(await readState(node.url)).toEqual(state);
  }, 180_000);
});

describe.each(HOMES)('a node trims by itself, on $database', ({ makeHome }) => {
  /** A minute between trims passes in a moment: nobody waits a minute in a test. */
  const HURRY = `data:text/javascript,${encodeURIComponent(
    'const real = setTimeout; globalThis.setTimeout = Object.assign((f, ms, ...a) => real(f, ms === 60000 ? 250 : ms, ...a), real);',
  )}`;

  test('REV4 HISTORY_MAX_BYTES bounds the log while it is written, watched and read', async () => {
    const home = await makeHome();
    const node = await startNode({ ...home.env, HISTORY_MAX_BYTES: '1MiB' }, { nodeArgs: ['--import', HURRY] });
    const watcher = await WatchClient.open(node.url);
    const topic = await watcher.sync('all', { kind: '*' });
    const filler = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`filler-${i}`, 'x'.repeat(60)]));
    const documents = (n: number) =>
      Array.from({ length: 100 }, (_, i) => ({ name: `regions/r-${i}`, title: `${n}`, labels: filler }));
    let trimmed = 0;
    let revision = 0;
    // About 130 kB a revision, until the log has been trimmed more than once.
    await until(
      'the log is trimmed, again and again',
      async () => {
        ({ revision } = (await call(node.url, 'POST', '/v1/apply', documents(revision))).body as { revision: number });
        ({ trimmed } = (await call(node.url, 'GET', '/v1/state')).body as { trimmed: number });
        return trimmed > 15;
      },
      60_000,
    );
    expect((await call(node.url, 'GET', `/v1/changes?since=${trimmed - 1}`)).status).toBe(410);
    const kept = await readLog(node.url, trimmed);
    expect(kept).toHaveLength(revision - trimmed);
    // Whoever was there has missed nothing.
    await watcher.next('change', (frame) => frame.topic === topic && frame.revision === revision);
    const told = watcher.frames.flatMap((frame) =>
      frame.type === 'change' ? frame.changes.map((change) => change.revision) : [],
    );
    expect([...new Set(told)]).toEqual(Array.from({ length: revision }, (_, i) => i + 1));
    await watcher.end();
    expect(await node.stop()).toBe(0);
    await home.drop();
  }, 180_000);
});

test('REV2 a node that stood still may take a request that waited unread for one that never came: then it says so, and nothing was done', async () => {
  const directory = temporaryDirectory();
  const node = await startNode({ DATA_DIR: directory.path, REQUEST_TIMEOUT: '3s' });
  try {
    // Pools of connections make such ones: for a request that was given up before it was sent.
    const { socket, heard } = await dial(Number(new URL(node.url).port));
    await sleep(200);
    process.kill(node.pid, 'SIGSTOP');
    const body = JSON.stringify({ title: 'Late' });
    const head = `PUT /v1/regions/late HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    socket.write(`${head}\r\n\r\n${body}`);
    await sleep(3500);
    process.kill(node.pid, 'SIGCONT');
    await until('it is answered', () => heard().includes('\r\n\r\n'), PATIENCE_MS);
    // Whether timers or sockets are looked at first is for the process's event loop to say.
    const status = Number(/^HTTP\/1\.1 (\d+) /.exec(heard())?.[1]);
    expect([201, 408]).toContain(status);
    expect((await call(node.url, 'GET', '/v1/regions/late')).status).toBe(status === 201 ? 200 : 404);
    socket.destroy();
  } finally {
    await node.stop('SIGKILL');
    directory.remove();
  }
}, 60_000);

test('the directory of an embedded database is made where there is none, and left whole by a signal at any moment of the first start', async () => {
  const directory = temporaryDirectory();
  const env = { DATA_DIR: `${directory.path}/deep/down` };
  for (const after of [/^$/, /applied migration/]) {
    const node = await spawnNode({ env });
    await until('it is under way', () => after.test(node.output()), 120_000);
    await node.stop('SIGTERM');
  }
  const node = await startNode(env);
  expect((await call(node.url, 'PUT', '/v1/regions/first', { title: 'First' })).status).toBe(201);
  expect(await node.stop()).toBe(0);
  directory.remove();
}, 180_000);

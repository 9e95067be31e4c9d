import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Edit } from '../../src/domain/command.ts';
import { violationsOf } from '../../src/domain/audit-state.ts';
import { BEGINNING, randomCommand } from '../domain/random-commands.ts';
import { deployment, GROUND, service, version, type Document } from '../domain/world.ts';
import { Random } from '../support/random.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { readLog, readState, replay, stateOf } from './history.ts';
import { HOMES, postgresHome, type Home } from './homes.ts';
import { Caller, type Reply } from './http-client.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

async function must(answering: Promise<Reply>): Promise<Reply> {
  const reply = await answering;
  if (reply.status >= 300) throw new Error(`${reply.status} ${reply.text}`);
  return reply;
}

const isDone = ({ status }: Reply): boolean => status < 300;

/** The log of the whole race, from a node that has just been made to look. Every rule holds at every revision. */
async function auditEveryRevision(node: Signalbox): Promise<number> {
  await must(new Caller(node.url).send('PUT', '/v1/regions/us', { title: 'us' }));
  const log = await readLog(node.url);
  const view = replay(log, (state, revision) => {
    const violations = violationsOf(state).map(({ rule, message }) => `${rule} at ${revision}: ${message}`);
    if (violations.length > 0) throw new Error(violations.join('\n'));
  });
  expect(stateOf(view)).toEqual(await readState(node.url));
  return log.length;
}

describe('two nodes on one PostgreSQL that hear nothing of each other until a commit fails', () => {
  let home: Home;
  let nodes: readonly [Signalbox, Signalbox];
  let callers: readonly [Caller, Caller];
  beforeAll(async () => {
    home = await postgresHome();
    // The longest interval: each decides on a view that is as old as it can be.
    const env = { ...home.env, TAIL_INTERVAL: '1m' };
    nodes = await Promise.all([startNode(env), startNode(env)]);
    callers = [new Caller(nodes[0].url), new Caller(nodes[1].url)];
  }, 180_000);
  afterAll(async () => {
    for (const caller of callers) caller.close();
    await Promise.all(nodes.map((node) => node.stop()));
    await home.drop();
  });

  /** What makes A need B in X. */
  const GAINS: Readonly<
    Record<string, { readonly before: readonly Document[]; readonly send: (caller: Caller) => Promise<Reply> }>
  > = {
    'A imports B': {
      before: [version('a.test', 'v1'), deployment('a.test', 'eu', 'v1', { labels: { race: 'x' } })],
      send: (caller) =>
        caller.send('PUT', '/v1/services/a.test/versions/v1', { imports: [{ service: 'b.test', version: 'v2' }] }),
    },
    'A, which imports B, enters X': {
      before: [version('a.test', 'v1', { 'b.test': 'v2' })],
      send: (caller) =>
        caller.send('PUT', '/v1/services/a.test/deployments/eu', {
          regionalEndpoint: 'eu.a.test',
          currentVersion: 'v1',
        }),
    },
    'A is upgraded in X to a version that imports B': {
      before: [
        version('a.test', 'v1'),
        version('a.test', 'v2', { 'b.test': 'v2' }),
        deployment('a.test', 'eu', 'v1', { labels: { race: 'x' } }),
      ],
      send: (caller) => caller.send('PATCH', '/v1/services/a.test/deployments/eu', { currentVersion: 'v2' }),
    },
  };
  /** What takes B away from X. */
  const LOSSES: Readonly<Record<string, (caller: Caller) => Promise<Reply>>> = {
    'B leaves X': (caller) => caller.send('DELETE', '/v1/services/b.test/deployments/eu'),
    'B is disabled in X': (caller) => caller.send('PATCH', '/v1/services/b.test/deployments/eu', { disabled: true }),
    'B is lowered in X': (caller) =>
      caller.send('PATCH', '/v1/services/b.test/deployments/eu', { currentVersion: 'v1' }),
  };
  const B = [
    service('b.test', { labels: { race: 'x' } }),
    version('b.test', 'v1'),
    version('b.test', 'v2'),
    deployment('b.test', 'us', 'v2'),
    deployment('b.test', 'eu', 'v2'),
  ];

  test('COV1 COV2 "A imports B" against "B leaves region X", 500 rounds: never both, and never neither', async () => {
    const random = new Random(500);
    const won = { gain: 0, loss: 0 };
    await must(
      callers[0].send('POST', '/v1/apply', [
        ...GROUND,
        ...B,
        service('a.test'),
        version('a.test', 'v1'),
        deployment('a.test', 'us'),
      ]),
    );
    for (let round = 0; round < 500; round++) {
      const [gainName, gain] = random.pick(Object.entries(GAINS));
      const [lossName, loss] = random.pick(Object.entries(LOSSES));
      const [near, far] = random.chance(0.5) ? callers : [callers[1], callers[0]];
      // What is left of the round before goes; whoever does it leaves the other node behind.
      await must(random.pick(callers).send('POST', '/v1/apply?prune=race=x', [...B, ...gain.before]));
      const both = random.chance(0.5) ? [gain.send(near), loss(far)] : [loss(far), gain.send(near)].reverse();
      const [gained, lost] = await Promise.all(both);
      if (gained === undefined || lost === undefined) throw new Error('two requests have two answers');
      const outcome = `round ${round}: ${gainName} ${gained.status}, ${lossName} ${lost.status}`;
      if (isDone(gained) === isDone(lost)) throw new Error(outcome);
      const refused = isDone(gained) ? lost : gained;
      won[isDone(gained) ? 'gain' : 'loss'] += 1;
      expect({ outcome, status: refused.status }).toEqual({ outcome, status: 409 });
      const rules = (refused.body.violations as { rule: string; fix?: unknown }[]).map(
        ({ rule, fix }) => `${rule} ${fix === undefined ? 'no fix' : 'fix'}`,
      );
      expect({ outcome, rules: [...new Set(rules)] }).toEqual({ outcome, rules: ['COV1 fix'] });
    }
    // It was a race: each side won often.
    expect(Math.min(won.gain, won.loss)).toBeGreaterThan(50);
    const revisions = await auditEveryRevision(nodes[0]);
    expect(revisions).toBeGreaterThan(500);
    expect(await auditEveryRevision(nodes[1])).toBe(revisions);
  }, 240_000);

  test('REF1 COV1 COV2 COV3 COV4 CAT3 random commands from both nodes at once: every rule holds at every revision', async () => {
    const random = new Random(8);
    const commands = Array.from({ length: 2000 }, () => randomCommand(random).edits);
    const from = (await must(callers[0].send('POST', '/v1/apply', BEGINNING))).body.revision as number;
    const statuses = new Map<number, number>();
    const work = Array.from({ length: 16 }, async (_, i) => {
      const caller = new Caller(nodes[i % 2 === 0 ? 0 : 1].url);
      for (let edits = commands.pop(); edits !== undefined; edits = commands.pop()) {
        const { status } = await request(caller, edits);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      caller.close();
    });
    await Promise.all(work);
    const revisions = await auditEveryRevision(nodes[0]);
    const accepted = (statuses.get(200) ?? 0) + (statuses.get(201) ?? 0);
    expect(revisions - from).toBeGreaterThan(300);
    expect(revisions - from).toBeLessThanOrEqual(accepted);
    expect(statuses.get(409)).toBeGreaterThan(50);
    expect([...statuses.keys()].filter((status) => ![200, 201, 400, 404, 409].includes(status))).toEqual([]);
  }, 120_000);
});

/** One edit as its own request, several as an apply of those that put. */
function request(caller: Caller, edits: readonly Edit[]): Promise<Reply> {
  const [edit] = edits;
  if (edit === undefined || edits.length > 1) {
    const documents = edits.flatMap((one) => (one.op === 'put' ? [{ name: one.name, ...(one.value as object) }] : []));
    return caller.send('POST', '/v1/apply', documents);
  }
  const path = `/v1/${edit.name}`;
  if (edit.op === 'delete') return caller.send('DELETE', path);
  if (edit.op === 'document') throw new Error('no random command publishes documents');
  return edit.op === 'put' ? caller.send('PUT', path, edit.value) : caller.send('PATCH', path, edit.patch);
}

describe('two nodes on one PostgreSQL and no bus', () => {
  const TAIL_MS = 400;
  const WAIT_MS = 3000;
  let home: Home;
  let a: Signalbox;
  let b: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    const env = { ...home.env, TAIL_INTERVAL: `${TAIL_MS}ms`, READ_WAIT_MAX: `${WAIT_MS}ms`, WATCH_HEARTBEAT: '500ms' };
    [a, b] = await Promise.all([startNode(env), startNode(env)]);
  }, 180_000);
  afterAll(async () => {
    await Promise.all([a.stop(), b.stop()]);
    await home.drop();
  });

  test('PUSH11 what is written on one node is read on the other and reaches its watchers, in order and once', async () => {
    const watcher = await WatchClient.open(b.url);
    const topic = await watcher.sync('regions', { kind: 'region' });
    const written: string[] = [];
    let slowest = 0;
    for (let n = 0; n < 20; n++) {
      const [writer, reader] = n % 4 === 3 ? [b, a] : [a, b];
      const name = `regions/seen-${n}`;
      const { body } = await call(writer.url, 'PUT', `/v1/${name}`, { title: `${n}` });
      written.push(`put ${name}@${body.revision}`);
      const began = performance.now();
      await until(
        `${name} on the other node`,
        async () => (await call(reader.url, 'GET', `/v1/${name}`)).status === 200,
      );
      slowest = Math.max(slowest, performance.now() - began);
    }
    const last = written.length;
    await watcher.reached(topic, last);
    const told = watcher.frames.flatMap((frame) =>
      frame.type === 'change' ? frame.changes.map(({ op, key, revision }) => `${op} ${key}@${revision}`) : [],
    );
    expect(told).toEqual(written);
    // The interval, and what a busy machine adds.
    expect(slowest).toBeLessThan(TAIL_MS + 4000);
    await watcher.end();
  }, 60_000);

  test('a read that names a revision waits until this node has reached it', async () => {
    for (let n = 0; n < 5; n++) {
      const path = `/v1/regions/waited-${n}`;
      const { body } = await call(a.url, 'PUT', path, { title: 'Awaited' });
      const minimum = { 'x-signalbox-min-revision': String(body.revision) };
      const [one, list, changes] = await Promise.all([
        call(b.url, 'GET', path, undefined, minimum),
        call(b.url, 'GET', '/v1/regions?pageSize=1000', undefined, minimum),
        call(b.url, 'GET', `/v1/changes?since=${body.revision - 1}`, undefined, minimum),
      ]);
      expect(one.body).toEqual(body);
      expect(Number(one.headers.get('x-signalbox-revision'))).toBeGreaterThanOrEqual(body.revision as number);
      expect(list.body.items).toContainEqual(body);
      expect(changes.body.changes).toMatchObject([{ key: `regions/waited-${n}`, revision: body.revision }]);
    }
  }, 60_000);
});

describe.each(HOMES)('a revision that is not there yet, on $database', ({ makeHome }) => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await makeHome();
    node = await startNode({ ...home.env, READ_WAIT_MAX: '700ms' });
  }, 180_000);
  afterAll(async () => {
    await node.stop();
    await home.drop();
  });
  const read = (revision: string, path = '/v1/regions') =>
    call(node.url, 'GET', path, undefined, { 'x-signalbox-min-revision': revision });

  test('a read that names it is answered with 503 and Retry-After after READ_WAIT_MAX, and waits no longer', async () => {
    const paths = ['/v1/regions', '/v1/regions/none', '/v1/state', '/v1/export', '/v1/coverage', '/v1/changes?since=0'];
    const reads = paths.map(async (path) => {
      const began = performance.now();
      const late = await read('1000000', path);
      const waited = performance.now() - began;
      expect({ path, status: late.status, type: late.body.type }).toEqual({
        path,
        status: 503,
        type: '/problems/revision-not-reached',
      });
      expect(late.headers.get('content-type')).toContain('application/problem+json');
      expect(late.headers.get('retry-after')).toBe('1');
      expect(late.headers.get('x-signalbox-revision')).toBe('0');
      expect(waited).toBeGreaterThanOrEqual(690);
      expect(waited).toBeLessThan(5000);
    });
    await Promise.all(reads);
  }, 60_000);

  test('a read that waits is answered as soon as the revision is made', async () => {
    const { revision } = (await call(node.url, 'GET', '/v1/state')).body as { revision: number };
    for (let n = 1; n <= 5; n++) {
      const waiting = read(String(revision + n), `/v1/regions/made-${n}`);
      const made = await call(node.url, 'PUT', `/v1/regions/made-${n}`, { title: `${n}` });
      expect(await waiting.then(({ status, body }) => ({ status, body }))).toEqual({ status: 200, body: made.body });
    }
    expect((await read(String(revision))).status).toBe(200);
    expect((await read('soon')).status).toBe(400);
  }, 60_000);
});

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Violation } from '../../src/domain/errors.ts';
import { createDatabase } from '../support/postgres.ts';
import { call, type Answer, type Signalbox } from '../support/signalbox.ts';
import { startNode } from './nodes.ts';
import { WatchClient } from './watch-client.ts';

const NDJSON = 'application/x-ndjson';
const YAML = 'application/yaml';
const JSON_TYPE = 'application/json';

/** Servers are ended, and their databases removed, after the block that started them. */
const leftovers: (() => unknown)[] = [];
async function end(): Promise<void> {
  for (const one of leftovers.splice(0).toReversed()) await one();
}

async function emptyServer(): Promise<Signalbox> {
  const db = await createDatabase();
  leftovers.push(() => db.drop());
  const server = await startNode({ DATABASE_URL: db.url, WATCH_HEARTBEAT: '1s' });
  leftovers.push(() => server.stop('SIGKILL'));
  return server;
}

const example = (path: string): string => readFileSync(`examples/${path}`, 'utf8');
/** Several files as one manifest, as `signalbox apply -f A -f B` sends them. */
const edge = (...files: string[]): string => files.map((file) => example(`spektra-edge/${file}.yaml`)).join('\n---\n');

const apply = (server: Signalbox, body: string, type: string, query = ''): Promise<Answer> =>
  call(server.url, 'POST', `/v1/apply${query}`, body, { 'content-type': type });

async function exported(server: Signalbox, accept = NDJSON): Promise<string> {
  const response = await fetch(`${server.url}/v1/export`, { headers: { accept } });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain(accept);
  return response.text();
}

const state = async (server: Signalbox): Promise<{ revision: number; resources: number }> =>
  (await call(server.url, 'GET', '/v1/state')).body;

describe('the AWS example', () => {
  const manifest = example('aws/manifest.ndjson');
  const documents = manifest
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string });
  const count = (pattern: RegExp): number => documents.filter(({ name }) => pattern.test(name)).length;
  let server: Signalbox;
  let feed: WatchClient;

  beforeAll(async () => {
    server = await emptyServer();
    feed = await WatchClient.open(server.url);
    await feed.sync('all', { kind: '*' });
  }, 150_000);
  afterAll(end);

  test('REV1 PUSH4: all of it is one revision, and one message to who watches', async () => {
    const applied = await apply(server, manifest, NDJSON);
    expect(applied.status).toBe(200);
    expect(applied.body.summary).toEqual({ created: 4831, updated: 0, unchanged: 0, deleted: 0 });
    expect(applied.body.revision).toBe(1);
    expect(await state(server)).toMatchObject({ revision: 1, resources: 4831 });
    const change = await feed.next('change');
    expect(change.revision).toBe(1);
    expect(new Set(change.changes.map(({ key }) => key))).toEqual(new Set(documents.map(({ name }) => name)));
    expect(change.changes).toHaveLength(4831);
  });

  test('CAT1: it is what the README says, and what the facts say', async () => {
    expect([
      count(/^regions\//),
      count(/^services\/[^/]+$/),
      count(/^services\/[^/]+\/versions\/v1$/),
      count(/^services\/[^/]+\/deployments\//),
      count(/^projects\//),
    ]).toEqual([26, 278, 278, 4247, 2]);
    const facts = JSON.parse(example('aws/endpoints.json')) as { services: Record<string, string> };
    const deployed = new Set(documents.map(({ name }) => name).filter((name) => name.includes('/deployments/')));
    for (const service of ['ec2', 's3', 'lambda', 'braket']) {
      const { body } = await call(server.url, 'GET', `/v1/services/${service}.amazonaws.com/deployments?pageSize=100`);
      const regions = (body.items as { name: string }[]).map(({ name }) => name.split('/').at(-1) ?? '');
      expect(regions.toSorted()).toEqual(facts.services[service]?.split(' ').toSorted());
      for (const region of regions)
        expect(deployed).toContain(`services/${service}.amazonaws.com/deployments/${region}`);
    }
  });

  test('REV3: applied again, it changes nothing and makes no revision', async () => {
    const before = await exported(server);
    for (const query of ['', '?prune=source%3Daws', '?dryRun=true']) {
      const again = await apply(server, manifest, NDJSON, query);
      expect(again.body.summary).toEqual({ created: 0, updated: 0, unchanged: 4831, deleted: 0 });
      expect(again.body.revision).toBe(1);
    }
    expect(await state(server)).toMatchObject({ revision: 1, resources: 4831 });
    expect(await exported(server)).toBe(before);
    // One page of the deployments of all services.
    const page = await call(server.url, 'GET', '/v1/services/-/deployments?pageSize=1000&filter=labels.source=aws');
    expect(page.body.items).toHaveLength(1000);
    expect(page.body.nextPageToken).not.toBe('');
  }, 60_000);

  test('REV3 REV1: what leaves the manifest is pruned, in one revision, and comes back as it was', async () => {
    const before = await exported(server);
    const rest = documents.filter(({ name }) => !name.startsWith('services/ec2.amazonaws.com'));
    const gone = documents.length - rest.length;
    const body = rest.map((one) => JSON.stringify(one)).join('\n');
    const tried = await apply(server, body, NDJSON, '?prune=source%3Daws&dryRun=true');
    expect(tried.body.summary).toMatchObject({ unchanged: rest.length, deleted: gone });
    expect((await state(server)).revision).toBe(1);
    const pruned = await apply(server, body, NDJSON, '?prune=source%3Daws');
    expect(pruned.body.summary).toEqual({ created: 0, updated: 0, unchanged: rest.length, deleted: gone });
    expect(pruned.body.revision).toBe(2);
    expect((await call(server.url, 'GET', '/v1/services/ec2.amazonaws.com')).status).toBe(404);
    const restored = await apply(server, before, NDJSON);
    expect(restored.body.summary).toMatchObject({ created: gone, deleted: 0 });
    expect(await exported(server)).toBe(before);
  }, 60_000);
});

describe('export and apply', () => {
  let server: Signalbox;

  beforeAll(async () => {
    server = await emptyServer();
    for (const [body, type] of [
      [edge('regions', 'core', 'third-party'), YAML],
      [example('aws/manifest.ndjson'), NDJSON],
    ] as const) {
      const { status, body: answer } = await apply(server, body, type);
      if (status !== 200) throw new Error(JSON.stringify(answer));
    }
    // Something of everything that a manifest may say, and of what its syntaxes read differently.
    const odd = [
      {
        name: 'regions/odd',
        title: 'null',
        location: { city: '0123', country: 'no', cloud: '1e3' },
        labels: { a: 'true', b: '~', c: '- x', d: '#' },
      },
      { name: 'projects/odd', title: 'Größe: "ja" \\ {x} 😀' },
      {
        name: 'services/fleet.acme.example/versions/v2alpha1',
        lifecycle: { state: 'deprecated', sunset: '2030-01-31' },
      },
    ];
    expect((await apply(server, JSON.stringify(odd), JSON_TYPE)).status).toBe(200);
  }, 150_000);
  afterAll(end);

  test.each([[NDJSON], [JSON_TYPE], [YAML]])(
    'REV3: an export as %s, applied to the same server, changes nothing and makes no revision',
    async (type) => {
      const before = await state(server);
      const again = await apply(server, await exported(server, type), type);
      expect(again.body.summary).toEqual({ created: 0, updated: 0, unchanged: before.resources, deleted: 0 });
      expect(again.body.revision).toBe(before.revision);
      expect(await state(server)).toEqual(before);
    },
    90_000,
  );

  test.each([[NDJSON], [JSON_TYPE], [YAML]])(
    'REV1: an export as %s, applied to an empty server, makes the same catalog, apiIds included',
    async (type) => {
      const manifest = await exported(server, type);
      const all = await exported(server);
      const services = all
        .split('\n')
        .filter((line) => line.startsWith('{"name":"services/') && line.includes('"apiId":"'));
      expect(services).toHaveLength(278 + 13);
      const other = await emptyServer();
      const applied = await apply(other, manifest, type);
      expect(applied.status).toBe(200);
      expect(applied.body.summary).toEqual({
        created: (await state(server)).resources,
        updated: 0,
        unchanged: 0,
        deleted: 0,
      });
      expect(applied.body.revision).toBe(1);
      expect(await exported(other)).toBe(all);
      expect(await exported(other, type)).toBe(manifest);
    },
    90_000,
  );
});

describe('the SPEKTRA Edge walkthrough', () => {
  let server: Signalbox;
  let feed: WatchClient;

  beforeAll(async () => {
    server = await emptyServer();
  }, 150_000);
  afterAll(end);
  afterEach(() => feed.ws.terminate());

  const violationsOf = ({ body }: Answer): Violation[] => body.violations as Violation[];
  const deploymentsIn =
    (region: string) =>
    (key: string): boolean =>
      key.endsWith(`/deployments/${region}`);

  test('COV1 COV2 COV5 PUSH4: apply, be refused, follow the fix, and watch it arrive', async () => {
    // 1. Apply
    const core = await apply(server, edge('regions', 'core'), YAML);
    expect([core.status, core.body.revision, core.body.summary.updated]).toEqual([200, 1, 0]);
    const third = await apply(server, edge('third-party'), YAML);
    expect([third.status, third.body.revision]).toEqual([200, 2]);
    const again = await apply(server, edge('third-party', 'core', 'regions'), YAML);
    expect(again.body).toMatchObject({ revision: 2, summary: { created: 0, updated: 0, deleted: 0 } });
    const coverage = await call(server.url, 'GET', '/v1/coverage?service=fleet.acme.example');
    expect(coverage.status).toBe(200);
    expect(JSON.stringify(coverage.body)).toContain('eu-west');

    // 2. Watch
    feed = await WatchClient.open(server.url);
    const topic = await feed.sync('all', { kind: '*' });
    const from = feed.frames.length;

    // 3. Try to expand
    const refused = await apply(server, edge('third-party-expands'), YAML);
    expect(refused.status).toBe(409);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    const violations = violationsOf(refused);
    expect(violations.map(({ rule, imported, region }) => `${rule} ${imported} ${region}`)).toEqual([
      'COV1 devices.edgelq.com ap-south2',
      'COV1 iam.edgelq.com ap-south2',
    ]);
    for (const violation of violations) {
      expect(violation).toMatchObject({
        code: 'import-not-deployed',
        resource: 'services/fleet.acme.example/versions/v1',
        importer: 'fleet.acme.example',
        importerVersion: 'v1',
        importedVersion: 'v1',
      });
      expect(violation.message).toBe(
        `fleet.acme.example v1 runs in ap-south2 and imports ${violation.imported} v1, but ${violation.imported} is not deployed there.`,
      );
      expect(violation.fix?.summary).toMatch(/./);
    }
    // A dry run is refused in the same words.
    const tried = await apply(server, edge('third-party-expands'), YAML, '?dryRun=true');
    expect(violationsOf(tried)).toEqual(violations);
    await feed.reached(topic, 2, from);
    expect(feed.of(topic, from).filter(({ type }) => type === 'change')).toEqual([]);
    expect((await state(server)).revision).toBe(2);

    // 4. Follow the fix, exactly as it was given
    const fix = violations[0]?.fix;
    if (fix === undefined) throw new Error('the refusal has no fix');
    const { method, path, body } = fix;
    const fixed = await call(server.url, method, path, body);
    expect([fixed.status, fixed.body.revision]).toEqual([200, 3]);
    const expanded = await apply(server, edge('third-party-expands'), YAML);
    expect([expanded.status, expanded.body.revision]).toEqual([200, 4]);

    // 5. See it arrive
    await feed.reached(topic, 4, from);
    const changes = feed.of(topic, from).flatMap((frame) => (frame.type === 'change' ? frame.changes : []));
    const moved = changes.filter(({ revision }) => revision === 3);
    expect(moved).toHaveLength(12);
    expect(moved.every(({ op, key }) => op === 'put' && deploymentsIn('ap-south2')(key))).toBe(true);
    expect(changes.filter(({ revision }) => revision === 4).map(({ op, key }) => `${op} ${key}`)).toEqual([
      'put services/fleet.acme.example/deployments/ap-south2',
    ]);
    expect(changes).toHaveLength(13);

    // What the fix did is what the example's own file says.
    const own = await apply(server, edge('core-expands'), YAML);
    expect(own.body).toMatchObject({ revision: 4, summary: { created: 0, updated: 0, unchanged: 12 } });

    // And now nothing of it can leave while somebody depends on it.
    const leaving = await call(server.url, 'DELETE', '/v1/services/iam.edgelq.com/deployments/ap-south2?dryRun=true');
    expect(leaving.status).toBe(409);
    const losers = violationsOf(leaving).map(({ importer }) => importer);
    expect(losers).toContain('fleet.acme.example');
    expect(losers).toContain('audit.edgelq.com');
    expect((await state(server)).revision).toBe(4);
  }, 60_000);

  test('COV2 PUSH4: both at once is one revision of 13 deployments, in whatever order the files come', async () => {
    const other = await emptyServer();
    expect((await apply(other, edge('third-party', 'core', 'regions'), YAML)).body.revision).toBe(1);
    feed = await WatchClient.open(other.url);
    await feed.sync('deployments', { kind: 'deployment', regions: ['ap-south2'] });
    const both = await apply(other, edge('third-party-expands', 'core-expands'), YAML);
    expect(both.body).toMatchObject({ revision: 2, summary: { created: 13 } });
    const change = await feed.next('change');
    expect(change.changes).toHaveLength(13);
    expect(feed.frames.filter(({ type }) => type === 'change')).toHaveLength(1);
  }, 60_000);

  test('COV2: whoever follows the first fix of every refusal gets there, and nothing is half applied on the way', async () => {
    const other = await emptyServer();
    feed = await WatchClient.open(other.url);
    await feed.sync('all', { kind: '*' });
    await apply(other, edge('regions', 'core', 'third-party'), YAML);
    // The other way round: the core wants to leave where fleet is.
    const leave = { method: 'DELETE', path: '/v1/services/devices.edgelq.com/deployments/eu-west' };
    const fixes: string[] = [];
    for (;;) {
      const { revision } = await state(other);
      const answer = await call(other.url, leave.method, leave.path);
      if (answer.status === 200) break;
      expect(answer.status).toBe(409);
      expect((await state(other)).revision).toBe(revision);
      const fix = violationsOf(answer).find((violation) => violation.fix !== undefined)?.fix;
      if (fix === undefined) throw new Error(`no fix: ${JSON.stringify(violationsOf(answer))}`);
      fixes.push(`${fix.method} ${fix.path}`);
      if (fixes.length > 20) throw new Error(`it never ends: ${fixes.join(', ')}`);
      const fixed = await call(other.url, fix.method, fix.path, fix.body);
      expect([fixed.status < 300, fixed.body.violations]).toEqual([true, undefined]);
    }
    expect(fixes.length).toBeGreaterThan(0);
    expect((await call(other.url, 'GET', leave.path)).status).toBe(404);
  }, 60_000);
});

/** Runs a program of an example against an empty server; how it ended, and what it said. */
async function run(program: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const server = await emptyServer();
  const child = spawn(process.execPath, [`examples/${program}`, '--once'], {
    env: { ...process.env, SIGNALBOX_URL: server.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  await end();
  return { code, output };
}

test('INS1 INS6 the walk of examples/hello: three services find each other, one is killed, and its watcher is told in time', async () => {
  const { code, output } = await run('hello/run.mjs');
  expect([code, code === 0 ? '' : output]).toEqual([0, '']);
}, 60_000);

test('INS1 the same with the client and the kit: one is killed, its callers are told in time, and no call fails', async () => {
  const { code, output } = await run('client/run.mjs');
  expect([code, code === 0 ? '' : output]).toEqual([0, '']);
  expect(output.match(/ Hello \w+ \(from \d+\), it is /g)).toHaveLength(10);
  expect(output).toContain('no greeting failed');
}, 60_000);

test('the example with the client is a third as long as the one by hand', () => {
  const lines = (...files: string[]): number => files.reduce((sum, file) => sum + example(file).split('\n').length, 0);
  const byHand = lines('hello/hello.mjs', 'hello/discovery.mjs', 'hello/run.mjs');
  expect(lines('client/service.mjs', 'client/greeter.mjs', 'client/run.mjs')).toBeLessThan(byHand / 3);
});

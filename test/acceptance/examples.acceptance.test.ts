import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, startSignalbox, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { command } from './command.ts';
import { until } from './until.ts';

const directories = [temporaryDirectory(), temporaryDirectory()];
let node: Signalbox;
let empty: Signalbox;

beforeAll(async () => {
  const [a, b] = directories.map(({ path }) => startSignalbox({ env: { DATA_DIR: path, LOG_LEVEL: 'warn' } }));
  [node, empty] = await Promise.all([a as Promise<Signalbox>, b as Promise<Signalbox>]);
}, 90_000);

afterAll(async () => {
  await Promise.all([node.stop(), empty.stop()]);
  for (const directory of directories) directory.remove();
});

const head = async (of: Signalbox): Promise<number> => (await call(of.url, 'GET', '/v1/state')).body.revision as number;
const apply = (of: Signalbox, manifest: string) =>
  call(of.url, 'POST', '/v1/apply', manifest, { 'content-type': 'application/x-ndjson' });
const exported = async (of: Signalbox): Promise<string> => (await call(of.url, 'GET', '/v1/export')).body as string;
const file = (name: string): string => `examples/spektra-edge/${name}`;

test('COV1 COV2: the walk through examples/spektra-edge: apply, be refused, follow the fix, see it arrive', async () => {
  const core = ['regions.yaml', 'core.yaml', 'third-party.yaml'].flatMap((name) => ['-f', file(name)]);
  expect(await command(node, ['apply', ...core])).toMatchObject({
    code: 0,
    out: expect.stringContaining('82 created'),
  });
  const expand = ['apply', '-f', file('third-party-expands.yaml')];
  const refused = await command(node, expand);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('imports iam.edgelq.com v1, but iam.edgelq.com is not deployed there. [COV1');
  expect(await head(node)).toBe(1);

  const watching = command(node, ['watch', 'deployments', '--json'], {
    until: 'fleet.acme.example/deployments/ap-south2',
  });
  await until('the watch is subscribed', async () =>
    /^signalbox_watch_subscriptions 1$/m.test((await call(node.url, 'GET', '/metrics')).body as string),
  );
  const name = 'services/fleet.acme.example/deployments/ap-south2';
  const wish = { regionalEndpoint: 'ap-south2.fleet.acme.example', currentVersion: 'v1' };
  const { status, body } = await call(node.url, 'PUT', `/v1/${name}`, wish);
  expect(status).toBe(409);
  const violations = body.violations as Record<string, unknown>[];
  expect(violations.map((v) => [v['rule'], v['code'], v['importer'], v['imported'], v['region']])).toEqual([
    ['COV1', 'import-not-deployed', 'fleet.acme.example', 'devices.edgelq.com', 'ap-south2'],
    ['COV1', 'import-not-deployed', 'fleet.acme.example', 'iam.edgelq.com', 'ap-south2'],
  ]);
  const fix = violations[0]?.['fix'] as { method: string; path: string; body: unknown };
  expect(await call(node.url, fix.method, fix.path, fix.body)).toMatchObject({
    status: 200,
    body: { revision: 2, summary: { created: 12 } },
  });
  expect(await call(node.url, 'PUT', `/v1/${name}`, wish)).toMatchObject({ status: 201, body: { revision: 3 } });

  const changes = (await watching).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { revision: number; key: string });
  expect(changes.map(({ revision }) => revision)).toEqual([...Array.from({ length: 12 }, () => 2), 3]);
  expect(changes.at(-1)?.key).toBe(name);
  // And now the core cannot leave.
  const leave = await call(node.url, 'DELETE', '/v1/services/iam.edgelq.com/deployments/ap-south2?dryRun=true');
  expect(leave.status).toBe(409);
  expect(leave.body.violations.map((v: { importer?: string }) => v.importer)).toContain('fleet.acme.example');
});

test('REV3: the AWS manifest is one revision; applied again it is none', async () => {
  const manifest = readFileSync('examples/aws/manifest.ndjson', 'utf8');
  const before = await head(node);
  const first = await apply(node, manifest);
  expect(first).toMatchObject({
    status: 200,
    body: { revision: before + 1, summary: { created: 4831, updated: 0, deleted: 0 } },
  });
  const again = await apply(node, manifest);
  expect(again).toMatchObject({ status: 200, body: { summary: { created: 0, unchanged: 4831 } } });
  expect(await head(node)).toBe(before + 1);
  const deployments = await call(node.url, 'GET', '/v1/services/-/deployments?pageSize=1000&filter=labels.source=aws');
  expect(deployments.body.items).toHaveLength(1000);
  expect(deployments.body.nextPageToken).not.toBe('');
});

test('REV3: what is exported changes nothing where it came from, and makes the same catalog somewhere else', async () => {
  const all = await exported(node);
  expect(all.trim().split('\n')).toHaveLength(4831 + 95);
  const before = await head(node);
  expect(await apply(node, all)).toMatchObject({
    status: 200,
    body: { summary: { created: 0, updated: 0, deleted: 0 } },
  });
  expect(await head(node)).toBe(before);
  expect(await apply(empty, all)).toMatchObject({
    status: 200,
    body: { revision: 1, summary: { created: 4831 + 95 } },
  });
  expect(await exported(empty)).toBe(all);
});

test('prune deletes what carries the labels and is no longer listed, in one revision', async () => {
  const dry = await command(node, [
    'apply',
    '-f',
    'examples/aws/manifest.ndjson',
    '--prune',
    '-l',
    'source=aws',
    '--dry-run',
  ]);
  expect(dry).toMatchObject({ code: 0, out: expect.stringContaining('0 deleted') });
  const kept = readFileSync('examples/aws/manifest.ndjson', 'utf8').replaceAll(
    /^.*zocalo\.amazonaws.*\n|^.*xray\.amazonaws.*\n/gm,
    '',
  );
  const pruned = await call(node.url, 'POST', '/v1/apply?prune=source%3Daws', kept, {
    'content-type': 'application/x-ndjson',
  });
  expect(pruned.status).toBe(200);
  expect(pruned.body.summary.deleted).toBeGreaterThan(5);
  expect((await call(node.url, 'GET', '/v1/services/xray.amazonaws.com')).status).toBe(404);
});

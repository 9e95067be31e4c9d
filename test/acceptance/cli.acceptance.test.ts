import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, freePort, startSignalbox, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { command } from './command.ts';
import { until } from './until.ts';

const home = temporaryDirectory();
const manifests = temporaryDirectory();
let node: Signalbox;
const start = (port: number): Promise<Signalbox> =>
  startSignalbox({ port, env: { DATA_DIR: join(home.path, 'data'), LOG_LEVEL: 'warn' } });

const GROUND = `
name: regions/us-east
title: US East
---
name: projects/shop
title: Shop
---
name: projects/shop/service-accounts/ci
`;
const SERVICE = {
  name: 'services/orders.shop.example',
  displayName: 'orders',
  creator: 'projects/shop/service-accounts/ci',
  globalEndpoint: 'orders.shop.example',
  primaryRegion: 'us-east',
};

beforeAll(async () => {
  mkdirSync(join(home.path, 'data'));
  node = await start(await freePort());
}, 60_000);

afterAll(async () => {
  await node.stop();
  home.remove();
  manifests.remove();
});

const manifest = (name: string, text: string): string => {
  const path = join(manifests.path, name);
  writeFileSync(path, text);
  return path;
};

test('apply takes YAML, NDJSON and standard input, previews with --dry-run, and says where a document is wrong', async () => {
  const yaml = manifest('ground.yaml', GROUND);
  const dry = await command(node, ['apply', '-f', yaml, '--dry-run']);
  expect(dry).toMatchObject({ code: 0, out: expect.stringContaining('+ regions/us-east') });
  expect((await call(node.url, 'GET', '/v1/state')).body.revision).toBe(0);
  const ndjson = manifest('service.ndjson', `${JSON.stringify(SERVICE)}\n`);
  expect(await command(node, ['apply', '-f', yaml, '-f', ndjson])).toMatchObject({
    code: 0,
    out: expect.stringContaining('4 created'),
  });
  const rest =
    'name: services/orders.shop.example/versions/v1\n---\nname: services/orders.shop.example/deployments/us-east\nregionalEndpoint: us-east.orders.shop.example\ncurrentVersion: v1\n';
  expect(await command(node, ['apply', '-f', '-'], { input: rest })).toMatchObject({
    code: 0,
    out: expect.stringContaining('revision 2'),
  });
  const wrong = await command(node, ['apply', '-f', manifest('wrong.yaml', 'name: regions/eu-west\ntitel: EU\n')]);
  expect(wrong.code).toBe(1);
  expect(wrong.err).toContain('wrong.yaml');
  expect(wrong.err).toContain('titel');
  const broken = await command(node, ['apply', '-f', manifest('broken.yaml', 'name: [\n')]);
  expect(broken).toMatchObject({ code: 1, err: expect.stringContaining('broken.yaml') });
});

test('get, coverage, status and export show it, for people and for programs', async () => {
  expect(await command(node, ['get', 'services'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('orders.shop.example'),
  });
  const name = 'services/orders.shop.example/deployments/us-east';
  const { out } = await command(node, ['get', 'deployment', name, '--json']);
  expect(JSON.parse(out)).toMatchObject({ currentVersion: 'v1' });
  expect(await command(node, ['get', 'bundles'])).toMatchObject({
    code: 0,
    out: expect.not.stringContaining('undefined'),
  });
  expect(await command(node, ['get', 'region', 'nowhere'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('nowhere'),
  });
  expect(await command(node, ['get', 'planets'])).toMatchObject({ code: 2 });
  expect(await command(node, ['coverage'])).toMatchObject({ code: 0, out: expect.stringContaining('✓ v1') });
  expect(await command(node, ['status'])).toMatchObject({ code: 0, out: expect.stringContaining('2') });
  const exported = await command(node, ['export']);
  expect(exported.out.trim().split('\n')).toHaveLength(6);
  const again = await command(node, ['apply', '-f', '-'], { input: exported.out });
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining('6 unchanged') });
});

test('PUSH5: watch goes on where it was when the server is killed and comes back, with no gap and no duplicate', async () => {
  const url = node.url;
  const watching = command({ url }, ['watch', 'services', '--json'], { until: '"end"' });
  const touch = async (step: string): Promise<number> => {
    const patch = { labels: { step } };
    return (await call(url, 'PATCH', '/v1/services/orders.shop.example', patch)).body.revision as number;
  };
  const subscribed = () =>
    until('the watch is subscribed', async () =>
      /^signalbox_watch_subscriptions 1$/m.test((await call(url, 'GET', '/metrics')).body as string),
    );
  await subscribed();
  const revisions = [await touch('one'), await touch('two')];
  await node.stop('SIGKILL');
  node = await start(node.port);
  // Before the watcher is back, too.
  revisions.push(await touch('three'));
  await subscribed();
  revisions.push(await touch('end'));
  const { code, out, err } = await watching;
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { revision: number });
  expect(lines.map(({ revision }) => revision)).toEqual(revisions);
  expect(code).toBe(0);
  expect(err).not.toBe('');
}, 60_000);

test('a server that is not there, a reader that goes away, and help', async () => {
  const nobody = { url: `http://127.0.0.1:${await freePort()}` };
  const unreachable = await command(nobody, ['get', 'regions']);
  expect(unreachable).toMatchObject({ code: 3, err: expect.stringContaining(nobody.url) });
  const piped = spawnSync('sh', ['-c', `"${process.execPath}" dist/cli/main.js export | head -1`], {
    env: { ...process.env, SIGNALBOX_URL: node.url, NODE_OPTIONS: '' },
    encoding: 'utf8',
  });
  expect(piped).toMatchObject({ status: 0, stderr: '' });
  expect(piped.stdout.trim().split('\n')).toHaveLength(1);
  const help = await command(node, ['apply', '--help']);
  expect(help).toMatchObject({ code: 0, out: expect.stringContaining('--dry-run') });
  expect(await command(node, ['aply'])).toMatchObject({ code: 2, err: expect.stringContaining('apply') });
});

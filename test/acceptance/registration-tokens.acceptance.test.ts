import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { IssuerServer } from '../auth/issuer-server.ts';
import { freePort } from '../support/free-port.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const CLI = resolve('dist/cli/main.js');
const SERVICE = 'orders.example.com';
const CATALOG = [
  { name: 'regions/eu', title: 'Europe' },
  { name: 'projects/shop', title: 'Shop' },
  { name: 'projects/shop/service-accounts/deployer', clientId: 'deployer' },
  ...[SERVICE, 'bills.example.com'].map((id) => ({
    name: `services/${id}`,
    displayName: id,
    creator: 'projects/shop/service-accounts/deployer',
    globalEndpoint: id,
    primaryRegion: 'eu',
  })),
];
/** A service of the old kind, which ends when it is asked to. */
const PROGRAM = `
  const server = require('node:http').createServer((q, s) => s.end('ok')).listen(+process.argv[1], '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));
`;

let issuer: IssuerServer;
let home: Home;
let first: Signalbox;
let second: Signalbox;
let root: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  issuer = await IssuerServer.open();
  home = await postgresHome();
  const OIDC_ISSUERS = JSON.stringify([issuer.settings({ admins: ['platform'], readers: [] })]);
  // With issuers, this machine is checked only where that is said.
  const env = { ...home.env, LOG_LEVEL: 'trace', OIDC_ISSUERS, EGRESS_ALLOW: '127.0.0.0/8' };
  first = await startNode(env);
  second = await startNode({ ...env, HEALTH_CHECKS: 'off' });
  root = await issuer.mint({ groups: ['platform'], sub: 'root' });
  expect((await as(first, root, 'POST', '/v1/apply', CATALOG)).status).toBe(200);
}, 180_000);
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all([first.stop('SIGKILL'), second.stop('SIGKILL')]);
  await home.drop();
  await issuer.close();
});

const as = (node: Signalbox, token: string, method: string, path: string, body?: unknown) =>
  call(node.url, method, path, body, { authorization: `Bearer ${token}` });

function signalbox(token: string, args: readonly string[]) {
  const env = { ...process.env, SIGNALBOX_URL: first.url, SIGNALBOX_TOKEN: token };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const ended = new Promise<number | null>((done) => {
    child.on('close', (code) => {
      running.delete(child);
      done(code);
    });
  });
  return { child, ended, out: () => out, err: () => err };
}

async function run(token: string, args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const { ended, out, err } = signalbox(token, args);
  const code = await ended;
  return { code, out: out(), err: err() };
}

const instances = async (): Promise<Record<string, unknown>[]> =>
  (await as(first, root, 'GET', `/v1/services/${SERVICE}/instances`)).body.items as Record<string, unknown>[];

test('SEC1 a service registers with a token that the command line made, at any node, until it is revoked', async () => {
  const made = await run(root, ['tokens', 'create', SERVICE, '--title', 'the old farm', '--ttl', '2h']);
  expect([made.code, made.out]).toEqual([0, expect.stringMatching(/^sbr_[0-9a-f]{24}_[0-9a-f]{72}\n$/)]);
  const token = made.out.trim();
  const id = token.slice(4, 28);

  for (const check of ['ttl', 'http:/']) {
    const port = await freePort();
    const about = ['--service', SERVICE, '--port', String(port), '--address', '127.0.0.1', '--check', check];
    const lease = check === 'ttl' ? ['--ttl', '1s'] : ['--interval', '500ms'];
    const kept = signalbox(token, [
      'register',
      ...about,
      ...lease,
      '--',
      process.execPath,
      '-e',
      PROGRAM,
      String(port),
    ]);
    const [instance] = await until('the registration', async () => {
      const found = await instances();
      return found.length === 1 && found[0]?.['status'] === 'passing' ? found : undefined;
    });
    expect(instance).toMatchObject({ service: SERVICE, port });
    if (check === 'ttl') {
      // Leases are renewed: it is there long after the first has run out.
      const renewals = (): number => first.output().split(`/renew`).length;
      const before = renewals();
      await until('renewals', () => renewals() > before + 6);
      expect(await instances()).toMatchObject([{ port, status: 'passing' }]);
    }
    kept.child.kill('SIGTERM');
    expect([await kept.ended, await instances()]).toEqual([0, []]);
    expect(kept.err()).not.toContain(token.slice(29));
  }

  const body = (service: string) => ({
    service,
    protocol: 'http',
    address: '127.0.0.1',
    port: 1,
    check: { type: 'ttl' },
  });
  expect((await as(second, token, 'POST', '/v1/instances', body(SERVICE))).status).toBe(201);
  expect((await as(second, token, 'POST', '/v1/instances', body('bills.example.com'))).status).toBe(403);
  expect((await as(second, token, 'GET', '/v1/services')).status).toBe(403);
  const refused = await run(token, [
    'register',
    '--service',
    'bills.example.com',
    '--port',
    '1',
    '--no-wait',
    '--address',
    '127.0.0.1',
  ]);
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('instance.register')]);

  const revoked = await run(root, ['tokens', 'revoke', SERVICE, id]);
  expect([revoked.code, revoked.out]).toEqual([0, expect.stringContaining('is revoked since')]);
  expect((await as(first, token, 'POST', '/v1/instances', body(SERVICE))).status).toBe(401);
  await until(
    'the other node to notice',
    async () => (await as(second, token, 'POST', '/v1/instances', body(SERVICE))).status === 401,
    20_000,
  );
  const listed = await run(root, ['tokens', 'list', SERVICE]);
  expect(listed.out).toMatch(new RegExp(`${id} +the old farm +\\S+ \\S+ +root +\\S+ \\S+ +\\S+`));

  for (const node of [first, second]) {
    expect(node.output()).not.toContain(token.slice(29));
    expect(node.output()).not.toMatch(/sbr_[0-9a-f]{24}_/);
  }
}, 120_000);

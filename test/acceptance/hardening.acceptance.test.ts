import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { IssuerServer } from '../auth/issuer-server.ts';
import { askHttps } from '../support/https.ts';
import { Authority } from '../support/openssl.ts';
import { call, spawnSignalbox, startSignalbox, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { embeddedHome, type Home } from './homes.ts';
import { until } from './until.ts';

const CLI = resolve('dist/cli/main.js');

describe('a node that speaks TLS', () => {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  let issuer: IssuerServer;
  let ours: Authority;
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await embeddedHome();
    issuer = await IssuerServer.open();
    ours = new Authority(directory.path, 'ours');
    useCertificate();
    node = await spawnSignalbox({
      env: {
        ...home.env,
        HOST: '0.0.0.0',
        OIDC_ISSUERS: JSON.stringify([issuer.settings({ admins: ['platform'], readers: '*' })]),
        TLS_CERT: at('tls.crt'),
        TLS_KEY: at('tls.key'),
        TLS_CLIENT_CA: ours.own.certFile,
        PROJECT_MAX_SERVICES: '1',
        RATE_LIMIT_LIST: '1/s burst 20',
      },
    });
    const ca = ours.own.cert;
    await until('it is ready', async () => {
      const answer = await askHttps(node.port, '/readyz', { ca }).catch(() => undefined);
      return answer?.status === 200;
    });
  }, 180_000);
  afterAll(async () => {
    await node.stop();
    await home.drop();
    await issuer.close();
    directory.remove();
  });

  /** Of a new certificate, put where the node reads it. */
  function useCertificate(): void {
    const { certFile, keyFile } = ours.issue({ subject: '/CN=localhost', names: 'DNS:localhost,IP:127.0.0.1' });
    copyFileSync(certFile, at('tls.crt'));
    copyFileSync(keyFile, at('tls.key'));
  }

  type Credential = { readonly authorization: string } | { readonly cert: string; readonly key: string };

  const root = async (): Promise<string> => `Bearer ${await issuer.mint({ groups: ['platform'], sub: 'root' })}`;

  async function send(method: string, path: string, body: object, credential: Credential): Promise<[number, string]> {
    const headers = { 'content-type': 'application/json', ...('authorization' in credential ? credential : {}) };
    const tls = 'cert' in credential ? credential : {};
    const options = { ca: ours.own.cert, method, headers, ...tls };
    const answer = await askHttps(node.port, path, options, JSON.stringify(body));
    return [answer.status, answer.body];
  }

  async function cli(args: readonly string[], env: Record<string, string>) {
    const url = `https://localhost:${node.port}`;
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { ...process.env, SIGNALBOX_URL: url, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout.on('data', (data: Buffer) => (text += data.toString()));
    child.stderr.on('data', (data: Buffer) => (text += data.toString()));
    return { child, text: () => text, ended: once(child, 'close').then(([code]) => code as number) };
  }

  test('the command line and its watch work with an authority of one’s own, and say what to do without it', async () => {
    const token = (await root()).slice('Bearer '.length);
    const known = { NODE_EXTRA_CA_CERTS: ours.own.certFile, SIGNALBOX_TOKEN: token };
    const status = await cli(['status'], known);
    expect([await status.ended, status.text()]).toEqual([0, expect.stringContaining('revision')]);

    const watch = await cli(['watch', 'region'], known);
    await until('it watches', () => watch.text() !== '');
    expect((await send('PUT', '/v1/regions/us', { title: 'US' }, { authorization: `Bearer ${token}` }))[0]).toBe(201);
    await until('the change is told', () => watch.text().includes('regions/us'));
    watch.child.kill('SIGINT');
    await watch.ended;

    for (const args of [['status'], ['watch']]) {
      const unknown = await cli(args, { SIGNALBOX_TOKEN: token });
      expect([await unknown.ended, unknown.text()]).toEqual([3, expect.stringContaining('NODE_EXTRA_CA_CERTS')]);
    }
  }, 60_000);

  async function serial(): Promise<string> {
    const socket: TLSSocket = connect({ host: 'localhost', port: node.port, ca: ours.own.cert });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }

  test('a new certificate is taken on while it runs', async () => {
    const before = await serial();
    useCertificate();
    await until('the new one is shown', async () => (await serial()) !== before);
    // It takes the new one on a moment before it says so.
    await until('it is said', () => node.output().includes('the files of TLS have changed'));
    expect(node.output()).not.toContain('tokens arrive here unencrypted');
    expect(node.output()).toContain(`https://0.0.0.0:${node.port}`);
  }, 60_000);

  test('SEC1 a service account that shows a certificate creates its services, up to the limit of its project', async () => {
    const authorization = await root();
    const as = (credential: Credential) => (path: string, body: object) => send('PUT', path, body, credential);
    const admin = as({ authorization });
    expect((await admin('/v1/regions/eu', { title: 'EU' }))[0]).toBe(201);
    expect((await admin('/v1/projects/core', { title: 'Core' }))[0]).toBe(201);
    const account = { subject: 'cert:uri:spiffe://mesh/orders' };
    expect((await admin('/v1/projects/core/service-accounts/orders', account))[0]).toBe(201);
    const { cert, key } = ours.issue({ names: 'URI:spiffe://mesh/orders', usage: 'clientAuth' });
    const orders = as({ cert, key });
    const service = { displayName: 'x', globalEndpoint: 'x.test', primaryRegion: 'eu' };
    expect((await orders('/v1/services/orders.test', service))[0]).toBe(201);
    const [status, body] = await orders('/v1/services/second.test', service);
    expect([status, (JSON.parse(body) as { detail: string }).detail]).toEqual([
      409,
      'projects/core has 1 services, and with 1 more it would hold more than 1, which is PROJECT_MAX_SERVICES.',
    ]);
    // Who decides on the limits may go beyond them.
    const theirs = { ...service, creator: 'projects/core/service-accounts/orders' };
    expect((await admin('/v1/services/second.test', theirs))[0]).toBe(201);
  });

  test('SEC4 with issuers, loopback is where the secrets of the machine are: nothing there is called', async () => {
    const authorization = await root();
    const body = { service: 'local.test', protocol: 'http', address: '127.0.0.1', port: 80, check: { type: 'tcp' } };
    const [status, text] = await send('POST', '/v1/instances', body, { authorization });
    expect([status, text]).toEqual([400, expect.stringContaining('a loopback address')]);
  });

  test('who asks too much is answered 429 and counted, and goes on afterwards', async () => {
    const authorization = `Bearer ${await issuer.mint({ sub: 'rita' })}`;
    const ask = () => askHttps(node.port, '/v1/regions', { ca: ours.own.cert, headers: { authorization } });
    const met = [];
    for (let i = 0; i < 30; i++) met.push((await ask()).status);
    expect(new Set(met.slice(0, 20))).toEqual(new Set([200]));
    expect(met).toContain(429);
    const refused = await ask();
    expect([refused.status, Number(refused.headers['retry-after'])]).toEqual([429, 1]);
    const { body } = await askHttps(node.port, '/metrics', {
      ca: ours.own.cert,
      headers: { authorization: await root() },
    });
    expect(body).toMatch(/signalbox_requests_turned_away_total\{class="list",why="caller"\} [1-9]/);
    await until('its bucket has filled', async () => (await ask()).status === 200);
  });
});

test('without issuers there are no limits of callers: development is not slowed', async () => {
  const home = await embeddedHome();
  const node = await startSignalbox({ env: { ...home.env, RATE_LIMIT_LIST: '1/s burst 1' } });
  const met = new Set<number>();
  for (let i = 0; i < 50; i++) met.add((await call(node.url, 'GET', '/v1/regions')).status);
  expect([...met]).toEqual([200]);
  await node.stop();
  await home.drop();
}, 180_000);

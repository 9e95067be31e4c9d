import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { IssuerServer } from '../auth/issuer-server.ts';
import { Authority } from '../support/openssl.ts';
import { call, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { embeddedHome, type EmbeddedHome } from './homes.ts';
import { instance, passingOf, register, ttlCheck } from './instance-api.ts';
import { startNode } from './nodes.ts';
import { backend, startSidecar } from './sidecar-process.ts';
import { until } from './until.ts';

let home: EmbeddedHome;
let node: Signalbox;
let directory: ReturnType<typeof temporaryDirectory>;

beforeAll(async () => {
  directory = temporaryDirectory();
  home = await embeddedHome();
  // Signalbox checks what is on this machine.
  node = await startNode({ ...home.env, EGRESS_ALLOW: '127.0.0.0/8' });
}, 60_000);
afterAll(async () => {
  await node.stop('SIGKILL');
  await home.drop();
  directory.remove();
});

const routes = (...services: string[]): string =>
  JSON.stringify(services.map((service) => ({ prefix: `/${service.split('.')[0]}`, service })));
const text = async (url: string, headers: Record<string, string> = {}): Promise<string> =>
  (await fetch(url, { headers })).text();
const registered = async (service: string): Promise<number> => (await passingOf(node.url, service)).length;

/** A backend that is registered for as long as Signalbox waits, and says its name. */
async function member(service: string, name: string): Promise<string> {
  const { url, port } = await backend((_request, response) => response.end(name));
  await register(node.url, instance(service, port, { check: ttlCheck('1m', { deregisterAfter: '10m' }) }));
  return url;
}

test('a backend is registered while it is healthy, called through the ingress, and deregistered before it is drained', async () => {
  const service = 'web.example.com';
  let healthy = false;
  let release: (() => void) | undefined;
  const { url } = await backend((asked, response) => {
    if (asked.url === '/health') return void response.writeHead(healthy ? 200 : 500).end();
    if (asked.url === '/slow') return void (release = () => response.end('slow'));
    response.end(`web ${asked.url}`);
  });
  const sidecar = await startSidecar({
    SIDECAR_SIGNALBOX_URLS: node.url,
    SIDECAR_EGRESS_ENABLED: 'false',
    SIDECAR_INGRESS_SERVICE: service,
    SIDECAR_INGRESS_BACKEND: url,
    SIDECAR_INGRESS_HEALTH_PATH: '/health',
  });
  expect(await registered(service)).toBe(0);
  healthy = true;
  const [found] = await until('it is registered', async () => {
    const passing = await passingOf(node.url, service);
    return passing.length > 0 && passing;
  });
  expect(found).toMatchObject({ address: '127.0.0.1', port: sidecar.ingressPort, status: 'passing' });
  expect(await text(`${sidecar.ingress}/x`)).toBe('web /x');
  healthy = false;
  await until('it is deregistered', async () => (await registered(service)) === 0);
  healthy = true;
  await until('it is registered again', async () => (await registered(service)) === 1);

  const slow = text(`${sidecar.ingress}/slow`);
  await until('it is under way', () => release !== undefined);
  sidecar.signal('SIGTERM');
  await until('it is deregistered first', async () => (await registered(service)) === 0);
  // Callers who have not heard of it yet are served.
  expect(await text(`${sidecar.ingress}/late`)).toBe('web /late');
  await until('it takes nothing new', () =>
    text(`${sidecar.ingress}/too-late`).then(
      () => false,
      () => true,
    ),
  );
  release?.();
  expect(await slow).toBe('slow');
  expect(await sidecar.exited).toBe(0);
});

test('instances are called as they come and go, and one key stays with one of them', async () => {
  const service = 'orders.example.com';
  const sidecar = await startSidecar({
    SIDECAR_SIGNALBOX_URLS: node.url,
    SIDECAR_EGRESS_ROUTES: routes(service),
    SIDECAR_EGRESS_BALANCE: 'consistent-hash',
    SIDECAR_EGRESS_KEY_HEADER: 'X-User',
  });
  const ask = (user: string): Promise<string> => text(`${sidecar.egress}/orders/1`, { 'x-user': user });
  expect(await until('nobody is known to be there', async () => /no-instances/.exec(await ask('a')))).toBeTruthy();
  await member(service, 'one');
  await until('the first is called', async () => (await ask('a')) === 'one');
  const second = await member(service, 'two');
  await until('the second is called', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(`user ${n}`)));
    return answers.includes('two');
  });
  for (let n = 0; n < 20; n++) {
    const [one, again, more] = [await ask(`user ${n}`), await ask(`user ${n}`), await ask(`user ${n}`)];
    expect([one, again]).toEqual([more, more]);
  }
  const pinned = { service_id: service, service_url: second };
  expect(await text(`${sidecar.egress}/x`, { ...pinned, 'x-user': 'a' })).toBe('two');
  expect(await sidecar.metric('sidecar_requests_total{direction="egress",service="",status="5xx"}')).toBeUndefined();
});

test('while Signalbox is away, what is known is called, by a sidecar that is started then as well', async () => {
  const service = 'stock.example.com';
  await member(service, 'one');
  const settings = (name: string): Record<string, string> => ({
    SIDECAR_SIGNALBOX_URLS: node.url,
    SIDECAR_EGRESS_ROUTES: routes(service),
    SIDECAR_SIGNALBOX_DIRECTORY: join(directory.path, name),
  });
  const sidecar = await startSidecar(settings('first'));
  const before = await startSidecar(settings('second'));
  for (const { egress } of [sidecar, before]) {
    await until('it is called', async () => (await text(`${egress}/stock/1`)) === 'one');
  }
  before.signal('SIGTERM');
  expect(await before.exited).toBe(0);

  await node.stop('SIGKILL');
  const after = await startSidecar(settings('second'));
  const age = 'sidecar_snapshot_age_seconds{service="stock.example.com"}';
  await until('it is known to be old', async () => ((await sidecar.metric(age)) ?? 0) > 0.2);
  for (const { egress } of [sidecar, after]) {
    for (let n = 0; n < 20; n++) expect(await text(`${egress}/stock/${n}`)).toBe('one');
  }
  // Who was never known is not known now, which is not the same as nobody.
  const unknown = await fetch(`${after.egress}/x`, { headers: { service_id: 'other.example.com' } });
  expect([unknown.status, await unknown.json()]).toEqual([
    503,
    expect.objectContaining({ type: '/problems/sidecar/not-ready' }),
  ]);

  node = await startNode({ ...home.env, EGRESS_ALLOW: '127.0.0.0/8' }, { port: node.port });
  await member(service, 'two');
  for (const { egress } of [sidecar, after]) {
    await until('both are called', async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => text(`${egress}/stock/1`)));
      return answers.includes('one') && answers.includes('two');
    });
  }
});

test('with check: http, Signalbox asks the sidecar', async () => {
  const service = 'bills.example.com';
  const { url } = await backend((_request, response) => response.end());
  const sidecar = await startSidecar({
    SIDECAR_SIGNALBOX_URLS: node.url,
    SIDECAR_EGRESS_ENABLED: 'false',
    SIDECAR_INGRESS_SERVICE: service,
    SIDECAR_INGRESS_BACKEND: url,
    SIDECAR_INGRESS_CHECK: 'http',
  });
  const counted = 'sidecar_requests_total{direction="ingress",service="bills.example.com",status="2xx"}';
  await until('it was asked', async () => ((await sidecar.metric(counted)) ?? 0) > 0);
  await until('it passes', async () => (await registered(service)) === 1);
  expect((await call(sidecar.ingress, 'GET', `/health/${service}`)).body).toBe('OK');
  const refused = await call(sidecar.ingress, 'GET', '/adm/server/info');
  expect([refused.status, refused.body]).toEqual([
    403,
    expect.objectContaining({ detail: expect.stringContaining('admin.issuers') }),
  ]);
});

test('SEC1 an admin token of a real issuer, with a scope of this service, opens /adm', async () => {
  const issuer = await IssuerServer.open();
  const service = 'pay.example.com';
  const { url } = await backend((asked, response) => {
    response.end(JSON.stringify({ path: asked.url, authorization: asked.headers.authorization ?? null }));
  });
  const sidecar = await startSidecar({
    SIDECAR_SIGNALBOX_URLS: node.url,
    SIDECAR_EGRESS_ENABLED: 'false',
    SIDECAR_INGRESS_SERVICE: service,
    SIDECAR_INGRESS_API_ID: 'pay',
    SIDECAR_INGRESS_BACKEND: url,
    SIDECAR_ADMIN_ISSUERS: JSON.stringify([{ issuer: issuer.url, audience: 'signalbox' }]),
  });
  const ask = async (token?: string, path = '/adm/cache'): Promise<[number, unknown]> => {
    const { status, body } = await call(sidecar.ingress, 'GET', path, undefined, {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    });
    return [status, body];
  };
  for (const scope of ['admin', 'pay.admin', 'pay/admin', `${service}.admin`, 'read pay.admin']) {
    const answer = { path: '/adm/cache', authorization: null };
    expect([scope, ...(await ask(await issuer.mint({ scope })))]).toEqual([scope, 200, answer]);
  }
  for (const scope of ['orders.admin', 'administrator', 'pay', '']) {
    expect([scope, (await ask(await issuer.mint({ scope })))[0]]).toEqual([scope, 403]);
  }
  const scope = 'admin';
  const others = [
    undefined,
    await issuer.mint({ scope, aud: 'another' }),
    await issuer.mint({ scope, iss: 'https://login.example.com' }),
    await issuer.mint({ scope, exp: 1 }),
  ];
  for (const token of others) expect((await ask(token))[0]).toBe(401);
  const [status, info] = await ask(await issuer.mint({ scope }), '/adm/server/info');
  expect([status, info]).toEqual([200, expect.objectContaining({ [url]: expect.anything() })]);
  expect((info as Record<string, unknown>)['proxy_info']).toBeDefined();
  expect(sidecar.output()).toContain('"subject":"ada","msg":"an admin request was let in"');
  await issuer.close();
});

test('others reach the ingress over TLS, through the egress of their own sidecar', async () => {
  const service = 'secret.example.com';
  const authority = new Authority(directory.path, 'ours');
  const { certFile, keyFile } = authority.issue({ names: 'IP:127.0.0.1' });
  const { url } = await backend((asked, response) =>
    response.end(`secret ${String(asked.headers['x-forwarded-proto'])}`),
  );
  const ingress = await startSidecar({
    SIDECAR_SIGNALBOX_URLS: node.url,
    SIDECAR_EGRESS_ENABLED: 'false',
    SIDECAR_INGRESS_SERVICE: service,
    SIDECAR_INGRESS_BACKEND: url,
    SIDECAR_INGRESS_TLS_CERT: certFile,
    SIDECAR_INGRESS_TLS_KEY: keyFile,
    // Otherwise it would say itself how it was called: by https.
    SIDECAR_INGRESS_TRUSTED_PEERS: '127.0.0.0/8',
  });
  const settings = { SIDECAR_SIGNALBOX_URLS: node.url, SIDECAR_EGRESS_ROUTES: routes(service) };
  const egress = await startSidecar({ ...settings, NODE_EXTRA_CA_CERTS: authority.own.certFile });
  await until('it is called', async () => (await text(`${egress.egress}/secret/1`)) === 'secret http');
  // Who does not know the authority sends nothing.
  const stranger = await startSidecar(settings);
  await until('it is known', async () => !/not-ready|no-instances/.test(await text(`${stranger.egress}/secret/1`)));
  expect((await fetch(`${stranger.egress}/secret/1`)).status).toBe(502);

  const ca = readFileSync(authority.own.certFile);
  const direct = request({ host: '127.0.0.1', port: ingress.ingressPort, path: '/', ca }).end();
  const [answer] = (await once(direct, 'response')) as [IncomingMessage];
  expect((await answer.toArray()).join('')).toBe('secret https');
  expect((await passingOf(node.url, service)).map(({ port }) => port)).toEqual([ingress.ingressPort]);
});

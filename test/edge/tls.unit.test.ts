import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { Agent, request, type RequestOptions, type Server } from 'node:https';
import { connect as netConnect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { FastifyPluginCallback } from 'fastify';
import { WebSocket } from 'ws';
import { gracefulClose } from '../../src/shutdown.ts';
import { Certificates } from '../../src/auth/certificates.ts';
import { Logins } from '../../src/auth/logins.ts';
import { Sessions } from '../../src/auth/sessions.ts';
import { Site } from '../../src/auth/site.ts';
import { Tokens } from '../../src/auth/tokens.ts';
import { loginRoutes } from '../../src/edge/http/login.ts';
import { subscribersRoute } from '../../src/edge/http/subscribers.ts';
import { whoamiRoutes } from '../../src/edge/http/whoami.ts';
import type { Access } from '../../src/edge/identify.ts';
import { TlsFiles } from '../../src/edge/tls.ts';
import { registrarOf } from '../../src/edge/ws/registrar.ts';
import { watchRoute } from '../../src/edge/ws/watch.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from '../acceptance/until.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { LiveNode } from '../feed/live-node.ts';
import { askHttps, type HttpsAnswer } from '../support/https.ts';
import { MemorySessions } from '../support/memory-sessions.ts';
import { Authority, type Pair } from '../support/openssl.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { openEdge, type Edge } from './harness.ts';

const dir = temporaryDirectory();
let ours: Authority;
let others: Authority;
let server: Pair;
let issuer: IssuerServer;
beforeAll(async () => {
  ours = new Authority(dir.path, 'ours');
  others = new Authority(dir.path, 'others');
  server = ours.issue({ subject: '/CN=localhost', names: 'DNS:localhost,IP:127.0.0.1' });
  issuer = await IssuerServer.open();
});
afterAll(async () => {
  await issuer.close();
  dir.remove();
});

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

interface Secure {
  readonly edge: Edge;
  readonly node: LiveNode;
  readonly port: number;
  readonly files: { readonly cert: string; readonly key: string; readonly clientCa: string };
  readonly said: string[];
  reload(): Promise<void>;
}

let count = 0;

/** A node with the feed, over TLS with files of its own. */
async function open({ clients = false, sessions }: { clients?: boolean; sessions?: Sessions } = {}): Promise<Secure> {
  count += 1;
  const file = (name: string): string => join(dir.path, `${count}-${name}`);
  const files = { cert: file('cert'), key: file('key'), clientCa: file('ca') };
  copyFileSync(server.certFile, files.cert);
  copyFileSync(server.keyFile, files.key);
  copyFileSync(ours.own.certFile, files.clientCa);
  const said: string[] = [];
  const log = {
    info: (text: unknown) => void said.push(String(text)),
    warn: (_: unknown, text?: string) => void said.push(String(text)),
    debug: () => {},
    error: () => {},
  };
  const certificates = new Certificates(Date.now);
  const { cert, key, clientCa } = files;
  const tls = await TlsFiles.open(clients ? { cert, key, clientCa } : { cert, key }, {
    log,
    onClientCa: () => certificates.replaced(),
  });
  const tokens = new Tokens([issuer.issuer({ readers: '*', admins: ['platform'] })], {
    log,
    now: () => performance.now(),
    clock: Date.now,
  });
  const site = new Site();
  const access: Access = {
    development: false,
    tokens,
    ...(clients && { certificates }),
    ...(sessions && { sessions: { sessions, site } }),
  };
  const node = await LiveNode.open({ access });
  await node.put('projects/core', { title: 'Core' });
  await node.put('projects/core/service-accounts/orders', { subject: 'cert:cn:orders' });
  await node.put('projects/core/service-accounts/mesh', { subject: 'cert:uri:spiffe://mesh/shop' });
  const pages = sessions === undefined ? [] : pagesOf(sessions, site, node);
  const registrar = registrarOf({ instances: node.instances, monitoring: node.leases, state: node.tail, log });
  const edge = await openEdge({
    access,
    tls: tls.options,
    state: node.tail,
    registry: node.registry,
    feed: node.hub,
    plugins: [watchRoute({ hub: node.hub, registrar, log, maxFrameBytes: 4096 }), subscribersRoute(node.hub), ...pages],
  });
  await edge.app.listen({ host: '127.0.0.1', port: 0 });
  leftovers.push(async () => {
    await node.close();
    edge.app.server.closeAllConnections();
    await edge.app.close();
  });
  const { port } = edge.app.server.address() as AddressInfo;
  site.listens(`https://localhost:${port}`);
  return { edge, node, port, files, said, reload: () => tls.reload(edge.app.server as Server) };
}

/** What says to people who they are. */
function pagesOf(sessions: Sessions, site: Site, { tail: state }: LiveNode): FastifyPluginCallback[] {
  const rows = new MemorySessions();
  const logins = new Logins({ clients: () => [], rows, sessions, clock: Date.now, random: randomBytes });
  return [
    loginRoutes({ site, logins, sessions, state, open: false, log: { warn: () => {} } }),
    whoamiRoutes({ site, sessions, state, issuers: () => [], mode: 'tokens', open: false }),
  ];
}

const ask = ({ port }: Secure, path: string, more: RequestOptions = {}): Promise<HttpsAnswer> =>
  askHttps(port, path, { ca: ours.own.cert, ...more });

const shows = ({ cert, key }: Pair): { cert: string; key: string } => ({ cert, key });
const problemIn = ({ status, body }: HttpsAnswer): unknown => [status, (JSON.parse(body) as { type: string }).type];

test('requests, sockets and streams go over TLS, to whoever knows the authority', async () => {
  const secure = await open();
  const authorization = `Bearer ${await issuer.mint({ groups: ['platform'] })}`;
  const answer = await ask(secure, '/v1/regions', { headers: { authorization } });
  expect([answer.status, answer.headers['strict-transport-security']]).toEqual([200, 'max-age=31536000']);
  await expect(ask(secure, '/livez', { ca: others.own.cert })).rejects.toThrow(/certificate/);

  const socket = new WebSocket(`wss://localhost:${secure.port}/v1/watch`, PROTOCOL, {
    ca: ours.own.cert,
    headers: { authorization },
  });
  leftovers.push(() => socket.terminate());
  const frames: { type: string }[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'subscribe', id: 's', select: { kind: 'region' } }));
  await until('it is synced', () => frames.some(({ type }) => type === 'synced'));
  await secure.node.put('regions/us');
  await until('the change', () => frames.some(({ type }) => type === 'change'));

  const stream = request({
    host: 'localhost',
    port: secure.port,
    path: '/v1/watch?kind=region',
    ca: ours.own.cert,
    agent: false,
    headers: { authorization, accept: 'text/event-stream' },
  });
  leftovers.push(() => stream.destroy());
  let events = '';
  stream.on('response', (response) => response.on('data', (data: Buffer) => (events += data.toString())));
  stream.on('error', () => undefined);
  stream.end();
  await until('the snapshot', () => events.includes('event: synced'));
  await secure.node.put('regions/eu');
  await until('the change as an event', () => events.includes('event: change'));
});

test('an upgrade that is not wanted is answered over TLS as any request is', async () => {
  const secure = await open();
  const answer = await ask(secure, '/livez', { headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' } });
  expect(answer.status).toBe(200);
});

const handshake = (port: number, more: ConnectionOptions): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host: 'localhost', port, ca: ours.own.cert, ...more }, () => {
      resolve(socket.getProtocol() ?? '');
      socket.destroy();
    });
    socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message));
  });

test('nothing older than TLS 1.2 is spoken, and nothing in the clear', async () => {
  const { port } = await open();
  expect(await handshake(port, {})).toBe('TLSv1.3');
  expect(await handshake(port, { maxVersion: 'TLSv1.2' })).toBe('TLSv1.2');
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  expect(await handshake(port, old)).toMatch(/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|ECONNRESET/);
  await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
});

/** Of the certificate that a new connection is shown. */
async function serialShown(port: number): Promise<string> {
  const socket: TLSSocket = connect({ host: 'localhost', port, ca: ours.own.cert });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

test('files that change are taken on without a restart, connections go on, and what is broken changes nothing', async () => {
  const secure = await open();
  const { port, files, said, reload } = secure;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  leftovers.push(() => agent.destroy());
  const status = async (): Promise<number> => (await ask(secure, '/livez', { agent })).status;
  expect(await status()).toBe(200);
  const before = await serialShown(port);
  await reload();
  expect(said).toEqual([]);

  const renewed = ours.issue({ subject: '/CN=localhost', names: 'DNS:localhost,IP:127.0.0.1' });
  // A reload that comes between the two halves of a change sees what does not belong together.
  writeFileSync(files.cert, renewed.cert);
  await reload();
  await reload();
  expect([await serialShown(port), said.filter((text) => /cannot be used/.test(text)).length]).toEqual([before, 1]);
  writeFileSync(files.key, renewed.key);
  await reload();
  const after = await serialShown(port);
  expect([after === before, said.at(-1)]).toEqual([false, expect.stringContaining('new certificate')]);

  for (const [cert, key] of [
    ['nonsense', renewed.key],
    ['', renewed.key],
    [renewed.cert, ''],
    ['', ''],
    [renewed.cert.slice(0, 200), renewed.key],
  ] as const) {
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
    await reload();
    expect(await serialShown(port)).toBe(after);
    expect(await status()).toBe(200);
  }
});

test('files that cannot be used keep a node from starting', async () => {
  const log = { info: () => {}, warn: () => {} };
  const { certFile: cert, keyFile: key } = server;
  await expect(TlsFiles.open({ cert, key: ours.own.keyFile }, { log })).rejects.toThrow(/TLS_CERT and TLS_KEY/);
  await expect(TlsFiles.open({ cert: join(dir.path, 'none'), key }, { log })).rejects.toThrow(/ENOENT/);
  await expect(TlsFiles.open({ cert, key, clientCa: key }, { log })).rejects.toThrow(/TLS_C/);
});

test('SEC1 a client certificate makes its bearer the service account that it names, and nobody else', async () => {
  const secure = await open({ clients: true });
  const orders = ours.issue({ subject: '/CN=orders', usage: 'clientAuth' });
  expect((await ask(secure, '/v1/regions', shows(orders))).status).toBe(200);
  const mesh = ours.issue({ subject: '/CN=orders', names: 'URI:spiffe://mesh/shop', usage: 'clientAuth' });
  expect((await ask(secure, '/v1/regions', shows(mesh))).status).toBe(200);

  // Without any, one is a stranger; with a token, whoever that is.
  expect(problemIn(await ask(secure, '/v1/regions'))).toEqual([401, '/problems/unauthenticated']);
  expect((await ask(secure, '/livez')).status).toBe(200);
  const authorization = `Bearer ${await issuer.mint({ groups: ['platform'] })}`;
  expect((await ask(secure, '/metrics', { ...shows(orders), headers: { authorization } })).status).toBe(200);
  expect((await ask(secure, '/metrics', shows(orders))).status).toBe(403);
  const bad = { ...shows(orders), headers: { authorization: 'Bearer a.b.c' } };
  expect(problemIn(await ask(secure, '/v1/regions', bad))).toEqual([401, '/problems/invalid-token']);

  // Known to the authority, and to nobody in the catalog.
  const nobody = ours.issue({ subject: '/CN=nobody', usage: 'clientAuth' });
  expect((await ask(secure, '/v1/regions', shows(nobody))).status).toBe(403);
  for (const wrong of [
    others.issue({ subject: '/CN=orders', usage: 'clientAuth' }),
    ours.issue({ subject: '/CN=orders', usage: 'serverAuth' }),
    ours.issue({ subject: '/CN=orders', usage: 'clientAuth', days: -1 }),
    ours.issue({ subject: '/CN=orders', names: 'URI:spiffe://mesh/a,URI:spiffe://mesh/shop', usage: 'clientAuth' }),
    ours.issue({ subject: '/CN=orders/CN=root', usage: 'clientAuth' }),
  ]) {
    const answer = await ask(secure, '/v1/regions', shows(wrong));
    expect(problemIn(answer)).toEqual([401, '/problems/invalid-certificate']);
  }
});

test('SEC1 a certificate that a browser shows for the page of somebody else is not taken', async () => {
  const secure = await open({ clients: true });
  const orders = shows(ours.issue({ subject: '/CN=orders', usage: 'clientAuth' }));
  const own = `https://localhost:${secure.port}`;
  const sends = (headers: object, method = 'GET') =>
    ask(secure, '/v1/regions/us', { ...orders, method, headers: { 'content-type': 'application/json', ...headers } });
  for (const foreign of [
    { origin: 'https://evil.test' },
    { origin: `http://localhost:${secure.port}` },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' },
  ])
    for (const method of ['GET', 'DELETE'])
      expect(problemIn(await sends(foreign, method))).toEqual([403, '/problems/cross-site']);
  for (const good of [{}, { origin: own }, { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }])
    expect((await sends(good)).status).toBe(404);
  const url = `wss://localhost:${secure.port}/v1/watch`;
  const socket = new WebSocket(url, PROTOCOL, { ca: ours.own.cert, ...orders, origin: 'https://evil.test' });
  expect(((await once(socket, 'error'))[0] as Error).message).toContain('403');
});

test('SEC1 who is known by a certificate is told so, whatever cookie comes along', async () => {
  const sessions = new Sessions({
    rows: new MemorySessions(),
    renew: () => Promise.resolve({ ok: false, why: 'refused' }),
    markOf: () => 'the mark',
    maxAgeMs: 3_600_000,
    idleMs: 3_600_000,
    clock: Date.now,
    random: randomBytes,
    log: { warn: () => {} },
  });
  const secure = await open({ clients: true, sessions });
  const owns = { apiIds: [], services: [], groups: [] };
  const identity = { subject: 'rita', administrator: false, reader: true, owns };
  const { credential } = await sessions.start({ identity, tokenEndsAt: Date.now() + 3_600_000 }, 'https://login.test');
  const headers = { cookie: `__Host-signalbox=${credential}` };
  const orders = shows(ours.issue({ subject: '/CN=orders', usage: 'clientAuth' }));
  const read = async (more: RequestOptions) =>
    JSON.parse((await ask(secure, '/v1/whoami', more)).body) as Record<string, unknown>;
  expect(await read({ headers })).toMatchObject({ by: 'session', subject: 'rita', csrf: expect.any(String) });
  const both = await read({ ...orders, headers });
  expect(both).toMatchObject({ by: 'certificate', subject: 'cert:cn:orders' });
  expect([Object.hasOwn(both, 'csrf'), Object.hasOwn(both, 'issuer')]).toEqual([false, false]);
  expect((await ask(secure, '/session', { ...orders, headers })).body).not.toContain('name="csrf"');
});

test('SEC1 without TLS_CLIENT_CA a certificate is not even asked for', async () => {
  const secure = await open();
  const orders = ours.issue({ subject: '/CN=orders', usage: 'clientAuth' });
  expect(problemIn(await ask(secure, '/v1/regions', shows(orders)))).toEqual([401, '/problems/unauthenticated']);
});

test('SEC1 a session that is resumed is who the first one was, and a resumed one without a certificate is nobody', async () => {
  const secure = await open({ clients: true });
  const orders = ours.issue({ subject: '/CN=orders', usage: 'clientAuth' });
  for (const [own, status] of [
    [shows(orders), 200],
    [{}, 401],
  ] as const) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const agent = new Agent({ maxCachedSessions: 10, maxVersion });
      const statuses: number[] = [];
      for (let i = 0; i < 3; i++) statuses.push((await ask(secure, '/v1/regions', { ...own, agent })).status);
      expect(statuses).toEqual([status, status, status]);
      agent.destroy();
    }
  }
});

test('SEC1 a socket that was opened with a certificate ends when its authority is no longer taken', async () => {
  const secure = await open({ clients: true });
  const orders = ours.issue({ subject: '/CN=orders', usage: 'clientAuth' });
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...shows(orders) });
  leftovers.push(() => agent.destroy());
  expect((await ask(secure, '/v1/regions', { agent })).status).toBe(200);
  const url = `wss://localhost:${secure.port}/v1/watch`;
  const socket = new WebSocket(url, PROTOCOL, { ca: ours.own.cert, cert: orders.cert, key: orders.key });
  leftovers.push(() => socket.terminate());
  await once(socket, 'open');

  writeFileSync(secure.files.clientCa, others.own.cert);
  const closed = once(socket, 'close');
  await secure.reload();
  expect((await closed)[0]).toBe(CLOSE.tokenEnded);
  expect(problemIn(await ask(secure, '/v1/regions', { agent }))).toEqual([401, '/problems/invalid-certificate']);
  expect(problemIn(await ask(secure, '/v1/regions', shows(orders)))).toEqual([401, '/problems/invalid-certificate']);
  writeFileSync(secure.files.clientCa, 'nothing');
  await secure.reload();
  expect(secure.said.at(-1)).toContain('cannot be used');
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'SEC1 a connection that began before its authority was replaced is nobody, whenever it shows its certificate (%s)',
  async (maxVersion) => {
    const secure = await open({ clients: true });
    const orders = ours.issue({ subject: '/CN=orders', usage: 'clientAuth' });
    const own = { host: 'localhost', port: secure.port, ca: ours.own.cert, ...shows(orders), maxVersion };
    const sends = async (socket: TLSSocket): Promise<string> => {
      let text = '';
      socket.on('data', (data: Buffer) => (text += data.toString()));
      socket.write('GET /v1/regions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
      await once(socket, 'close');
      return text;
    };
    // The handshake is done, and nothing was asked yet.
    const silent = connect(own);
    await once(silent, 'secureConnect');
    // The handshake has not even begun.
    const accepted = once(secure.edge.app.server, 'connection');
    const slow = netConnect(secure.port, 'localhost');
    await accepted;
    const taken = connect(own);
    await once(taken, 'secureConnect');
    expect(await sends(taken)).toMatch(/^HTTP\/1\.1 200 /);

    writeFileSync(secure.files.clientCa, others.own.cert);
    await secure.reload();
    expect(await sends(silent)).toMatch(/^HTTP\/1\.1 401 [^]*invalid-certificate/);
    const late = connect({ ...own, socket: slow, servername: 'localhost' });
    await once(late, 'secureConnect');
    expect(await sends(late)).toMatch(/^HTTP\/1\.1 401 [^]*invalid-certificate/);
    // What begins from here on is held against the new ones.
    const other = others.issue({ subject: '/CN=orders', usage: 'clientAuth' });
    const renewed = connect({ ...own, ...shows(other) });
    await once(renewed, 'secureConnect');
    expect(await sends(renewed)).toMatch(/^HTTP\/1\.1 200 /);
  },
);

test('a server that closes does not wait for connections on which nothing was asked', async () => {
  const { edge, port } = await open();
  const finish = gracefulClose(edge.app.server);
  const socket = connect({ host: 'localhost', port, ca: ours.own.cert });
  const closed = once(socket, 'close');
  await once(socket, 'secureConnect');
  socket.resume();
  // Were it waited for, this would take an hour.
  await finish(() => edge.app.close(), 3_600_000);
  await closed;
});

test('a header that never ends is answered 408 over TLS as well, and so is a body', async () => {
  const { cert, key } = server;
  const config = { bodyMaxBytes: 1024, applyMaxBytes: 1024, readWaitMax: 10, requestTimeout: 1000 };
  const slow = await openEdge({ config, tls: { cert, key } });
  leftovers.push(() => slow.app.close());
  await slow.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = slow.app.server.address() as AddressInfo;
  const host = 'Host: localhost\r\n';
  for (const begin of [
    `GET /livez HTTP/1.1\r\n${host}`,
    `PUT /v1/regions/us HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
  ]) {
    const socket = connect({ host: 'localhost', port, ca: ours.own.cert });
    let answer = '';
    socket.on('data', (data: Buffer) => (answer += data.toString()));
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    await once(socket, 'secureConnect');
    socket.write(begin);
    const drip = setInterval(() => socket.writable && socket.write(begin.startsWith('GET') ? 'x: y\r\n' : ''), 100);
    await closed;
    clearInterval(drip);
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
  }
});

test('the bounds on what is sent hold over TLS', async () => {
  const secure = await open();
  const authorization = `Bearer ${await issuer.mint()}`;
  expect((await ask(secure, `/v1/regions?x=${'x'.repeat(9000)}`)).status).toBe(414);
  expect((await ask(secure, '/livez', { headers: { x: 'x'.repeat(20_000) } })).status).toBe(431);
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x-${i}`, 'y']));
  expect((await ask(secure, '/livez', { headers: many })).status).toBe(431);
  const socket = new WebSocket(`wss://localhost:${secure.port}/v1/watch`, PROTOCOL, {
    ca: ours.own.cert,
    headers: { authorization },
  });
  await once(socket, 'open');
  socket.send('x'.repeat(5000));
  expect((await once(socket, 'close'))[0]).toBe(1009);
});

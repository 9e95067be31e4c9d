import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { exportSPKI, importJWK, type CryptoKey, type JWTPayload } from 'jose';
import { pino } from 'pino';
import type { InjectOptions } from 'fastify';
import type { Action } from '../../src/auth/actions.ts';
import { RIGHTS } from '../../src/auth/rights.ts';
import { csrfToken } from '../../src/auth/csrf.ts';
import { Logins } from '../../src/auth/logins.ts';
import { Sessions } from '../../src/auth/sessions.ts';
import { Site } from '../../src/auth/site.ts';
import { Tokens } from '../../src/auth/tokens.ts';
import { apiDocumentRoutes } from '../../src/edge/http/api-document-routes.ts';
import { registrationTokenRoutes } from '../../src/edge/http/registration-tokens.ts';
import { auditRoute } from '../../src/edge/http/audit.ts';
import { loginRoutes } from '../../src/edge/http/login.ts';
import { oidcRoutes } from '../../src/edge/http/oidc.ts';
import { whoamiRoutes } from '../../src/edge/http/whoami.ts';
import { subscribersRoute } from '../../src/edge/http/subscribers.ts';
import { registrarOf } from '../../src/edge/ws/registrar.ts';
import { watchRoute } from '../../src/edge/ws/watch.ts';
import { LOG_SAFETY } from '../../src/log.ts';
import { DocumentDesk } from '../../src/registry/documents.ts';
import { TokenDesk } from '../../src/registry/registration-tokens.ts';
import { forge, IssuerServer } from '../auth/issuer-server.ts';
import { LiveNode } from '../feed/live-node.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { MemoryRegistrationTokens } from '../support/memory-registration-tokens.ts';
import { MemorySessions } from '../support/memory-sessions.ts';
import { MANIFEST, openEdge, type Edge } from './harness.ts';

const ORIGIN = 'https://signalbox.example.com';
const site = new Site(ORIGIN);
const rows = new MemorySessions();
const sessions = new Sessions({
  rows,
  renew: () => Promise.resolve({ ok: false, why: 'refused' }),
  markOf: () => 'the mark',
  maxAgeMs: 3_600_000,
  idleMs: 3_600_000,
  clock: Date.now,
  random: randomBytes,
  log: { warn: () => {} },
});
/** They look at nothing that says who is calling. */
const BLIND: ReadonlySet<string> = new Set(['/login/callback', '/v1/auth', '/oidc/*']);

let issuer: IssuerServer;
let stranger: IssuerServer;
let node: LiveNode;
let edge: Edge;
const stored = new MemoryDocuments(Date.now, () => edge.catalog.view.all());
const logged: string[] = [];

beforeAll(async () => {
  issuer = await IssuerServer.open();
  await issuer.addKey('rsa', 'RS256');
  stranger = await IssuerServer.open();
  const logger = pino({ level: 'trace', ...LOG_SAFETY }, { write: (line: string) => void logged.push(line) });
  const settings = { admins: ['platform'], readers: ['staff'], owners: { 'team-iam': ['iam'] } };
  const tokens = new Tokens([issuer.issuer(settings)], { log: logger, now: () => performance.now(), clock: Date.now });
  node = await LiveNode.open();
  const { hub, instances, leases, store, tail } = node;
  const registrar = registrarOf({ instances, monitoring: leases, state: tail, log: logger });
  const desk = new TokenDesk({
    store: new MemoryRegistrationTokens(),
    onRevoked: () => {},
    random: (bytes) => randomBytes(bytes).toString('hex'),
    clock: Date.now,
  });
  // The edge makes its catalog itself.
  const state = {
    get ready() {
      return edge.catalog.ready;
    },
    get view() {
      return edge.catalog.view;
    },
  };
  const logins = new Logins({ clients: () => [], rows, sessions, clock: Date.now, random: randomBytes });
  const documents = new DocumentDesk({
    store: stored,
    registry: { execute: (...asked) => edge.catalog.execute(...asked) },
  });
  const plugins = [
    apiDocumentRoutes({ desk: documents, state, clock: Date.now }),
    watchRoute({ hub, registrar, log: logger, maxFrameBytes: 65_536 }),
    subscribersRoute(hub),
    registrationTokenRoutes({ desk, state: tail, maxLifeMs: 3_600_000, clock: Date.now }),
    auditRoute({ store, state: tail, clock: Date.now }),
    loginRoutes({ site, logins, sessions, state, open: false, log: logger }),
    whoamiRoutes({ site, sessions, state, issuers: () => [], mode: 'tokens', open: false }),
    oidcRoutes(() => undefined, logger),
  ];
  edge = await openEdge({ access: { development: false, tokens, sessions: { sessions, site } }, logger, plugins });
  const response = await send(await admin(), 'POST', '/v1/apply', [...MANIFEST]);
  expect([response.statusCode, response.body.slice(0, 300)]).toEqual([200, expect.any(String)]);
});
afterAll(async () => {
  await edge.app.close();
  await Promise.all([node.close(), issuer.close(), stranger.close()]);
});

type Method = NonNullable<InjectOptions['method']>;

const admin = (): Promise<string> => issuer.mint({ groups: ['platform'], sub: 'root' });
const reader = (): Promise<string> => issuer.mint({ groups: ['staff'], sub: 'rita' });
const owner = (): Promise<string> => issuer.mint({ groups: ['team-iam'], sub: 'otto' });
const account = (): Promise<string> => issuer.mint({ client_id: 'deployer', sub: 'deployer' });
const nobody = (): Promise<string> => issuer.mint({ sub: 'nils' });

const send = (token: string | undefined, method: string, url: string, payload?: object) =>
  edge.app.inject({
    method: method as Method,
    url,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(payload && { payload }),
  });

/** A path that the route takes. */
const pathOf = (url: string): string =>
  url
    .replace('/docs/static/*', '/docs/static/index.css')
    .replace(':instance', 'f'.repeat(24))
    .replaceAll(/:[a-zA-Z]+/g, 'us');

/** The walk goes over whatever routes there are, so that a new one is tried without anybody thinking of it (SEC1). */
async function walk(
  token: string | undefined,
  expected: (action: Action) => 'open' | 401 | 403,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const before = edge.catalog.head.revision;
  for (const { method, url, action } of edge.app.routeTable.entries) {
    const shown = token === undefined ? headers : { authorization: `Bearer ${token}`, ...headers };
    const response = await edge.app.inject({ method: method as Method, url: pathOf(url), headers: shown });
    const what = `${method} ${url}`;
    // Without credentials there is no sign-in to come back to.
    if (url === '/login/callback') expect([what, response.statusCode]).toEqual([what, 403]);
    if (url === '/login/callback') continue;
    const wanted = BLIND.has(url) ? 'open' : expected(action);
    const met = [401, 403].includes(response.statusCode) ? response.statusCode : 'open';
    expect([what, met]).toEqual([what, wanted]);
    if (wanted !== 'open') expect([what, response.headers['x-signalbox-revision']]).toEqual([what, undefined]);
    const challenge = response.headers['www-authenticate'];
    if (response.statusCode === 401)
      expect(challenge).toMatch(
        token === undefined ? /^Bearer realm="[a-z]+"$/ : /error="invalid_token", error_description="The token/,
      );
    else expect(challenge).toBeUndefined();
  }
  expect(edge.catalog.head.revision).toBe(before);
}

const isOpen = (action: Action): boolean => RIGHTS[action].stranger === 'all';

test('SEC1 the walk goes past the feed too', () => {
  const urls = edge.app.routeTable.entries.map(({ url }) => url);
  for (const url of [
    '/v1/watch',
    '/v1/subscribers',
    '/v1/audit',
    '/v1/changes',
    '/v1/apply',
    '/metrics',
    '/v1/nodes',
    '/logout',
    '/oidc/*',
  ])
    expect(urls).toContain(url);
});

test('SEC1 only health, the documentation and logging in are for everyone', () => {
  expect(Object.keys(RIGHTS).filter((action) => isOpen(action as Action))).toEqual([
    'session.use',
    'health.read',
    'docs.read',
  ]);
});

test('SEC1 every route without a token', () => walk(undefined, (action) => (isOpen(action) ? 'open' : 401)));

test('SEC1 every route with a token that gives no right', async () =>
  walk(await nobody(), (action) => (isOpen(action) ? 'open' : 403)));

const good = (more: JWTPayload = {}): JWTPayload => ({
  iss: issuer.url,
  aud: 'signalbox',
  sub: 'eve',
  groups: ['platform'],
  exp: Date.now() / 1000 + 300,
  ...more,
});
const asSecret = async (input: string): Promise<string> =>
  createHmac(
    'sha256',
    await exportSPKI((await importJWK(issuer.jwk('rsa'), 'RS256', { extractable: true })) as CryptoKey),
  )
    .update(input)
    .digest('base64url');

const BAD: [what: string, make: () => Promise<string>][] = [
  ['malformed', () => Promise.resolve('a.b.c')],
  ['expired', () => issuer.mint(good({ exp: 1 }))],
  ['for another audience', () => issuer.mint(good({ aud: 'shop' }))],
  ['of another issuer', () => stranger.mint(good({ iss: stranger.url }))],
  ['of another issuer under our name', () => stranger.mint(good())],
  ['unsigned', () => Promise.resolve(forge(good(), { alg: 'none', kid: 'rsa', typ: 'at+jwt' }))],
  [
    'signed with the public key as a secret',
    async () => {
      const header = { alg: 'HS256', kid: 'rsa', typ: 'at+jwt' };
      const unsigned = forge(good(), header).slice(0, -1);
      return `${unsigned}.${await asSecret(unsigned)}`;
    },
  ],
  ['signed with an unknown key', () => issuer.mint(good(), { header: { kid: 'k9' } })],
  ['an ID token', () => issuer.mint(good(), { typ: 'JWT' })],
];

test.each(BAD)('SEC1 every route with a token that is %s', async (_what, make) => walk(await make(), () => 401));

const sessionOf = async (more: object): Promise<string> => {
  const identity = {
    subject: 'cora',
    administrator: true,
    reader: false,
    owns: { apiIds: [], services: [], groups: [] },
    ...more,
  };
  return (await sessions.start({ identity, tokenEndsAt: Date.now() + 3_600_000 }, 'https://login.test')).credential;
};

const cookie = (credential: string, more: object = {}): Record<string, string> => ({
  cookie: `${site.cookies.session}=${credential}`,
  ...more,
});

test('SEC1 every route with a session that is none: as a stranger', async () => {
  const credential = randomBytes(32).toString('base64url');
  const headers = cookie(credential, { origin: ORIGIN, 'x-signalbox-csrf': csrfToken(credential) });
  await walk(undefined, (action) => (isOpen(action) ? 'open' : 401), headers);
});

test('SEC1 every route with a session that gives no right', async () => {
  const credential = await sessionOf({ administrator: false });
  const headers = cookie(credential, { origin: ORIGIN, 'x-signalbox-csrf': csrfToken(credential) });
  await walk(undefined, (action) => (isOpen(action) ? 'open' : 403), headers);
});

test("SEC1 every route with an administrator's session from a page of another origin", async () => {
  const credential = await sessionOf({});
  const headers = cookie(credential, { origin: 'https://evil.test', 'x-signalbox-csrf': csrfToken(credential) });
  await walk(undefined, () => 403, headers);
  await walk(undefined, () => 403, cookie(credential, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }));
  const { statusCode } = await edge.app.inject({ url: '/v1/regions', headers: cookie(credential) });
  expect(statusCode).toBe(200);
});

test("SEC1 every route that writes, with an administrator's session and without its token", async () => {
  const headers = cookie(await sessionOf({}), { origin: ORIGIN });
  const before = edge.catalog.head.revision;
  for (const { method, url } of edge.app.routeTable.entries) {
    if (['GET', 'HEAD', 'OPTIONS'].includes(method) || BLIND.has(url)) continue;
    const response = await edge.app.inject({ method: method as Method, url: pathOf(url), headers });
    expect([method, url, response.statusCode, response.json().type]).toEqual([
      method,
      url,
      403,
      '/problems/cross-site',
    ]);
  }
  expect(edge.catalog.head.revision).toBe(before);
});

test('SEC1 where a request has a token too, that is who it is', async () => {
  const headers = { ...cookie(await sessionOf({})), authorization: `Bearer ${await reader()}` };
  expect((await edge.app.inject({ url: '/v1/whoami', headers })).json()).toMatchObject({
    subject: 'rita',
    by: 'token',
  });
  // It needs nothing against cross-site requests, which no browser makes with a token.
  const put = { method: 'PUT', url: '/v1/regions/us', payload: { title: 'x' } } as const;
  const { statusCode } = await edge.app.inject({ ...put, headers: { ...headers, origin: 'https://evil.test' } });
  expect(statusCode).toBe(403);
  expect((await edge.app.inject({ ...put, headers: { ...headers, authorization: 'Bearer a.b.c' } })).statusCode).toBe(
    401,
  );
});

test.each<[who: string, make: () => Promise<string | undefined>, expected: object]>([
  ['nobody', () => Promise.resolve(undefined), { kind: 'stranger', roles: ['stranger'], services: [], by: 'nothing' }],
  ['an administrator', admin, { kind: 'administrator', subject: 'root', roles: ['administrator'], by: 'token' }],
  ['a reader', reader, { kind: 'person', roles: ['reader'], services: [] }],
  ['an API owner', owner, { kind: 'person', roles: ['owner'], services: ['iam.test'] }],
  [
    'a service account',
    account,
    {
      kind: 'serviceAccount',
      account: 'projects/core/service-accounts/deployer',
      project: 'core',
      roles: ['account'],
      services: ['iam.test', 'shop.test'],
    },
  ],
])('whoami, as %s', async (_who, make, expected) => {
  expect((await send(await make(), 'GET', '/v1/whoami')).json()).toMatchObject(expected);
});

/** What a token may do somewhere; the rest of the rows is the reader's concern alone. */
test.each<[who: string, make: () => Promise<string>, role: 'reader' | 'owner' | 'account']>([
  ['a reader', reader, 'reader'],
  ['an API owner', owner, 'owner'],
  ['a service account', account, 'account'],
])('SEC1 every route as %s: what is not in the table is 403', async (_who, make, role) => {
  const token = await make();
  for (const { method, url, action } of edge.app.routeTable.entries) {
    if (RIGHTS[action][role] !== 'none') continue;
    expect([method, url, (await send(token, method, pathOf(url))).statusCode]).toEqual([method, url, 403]);
  }
});

const VERSION = { imports: [] };

test('SEC1 whose service it is decides, for each document', async () => {
  const tokens = { root: await admin(), otto: await owner(), deployer: await account(), rita: await reader() };
  const statuses = async (method: string, url: string, payload: object): Promise<number[]> =>
    Promise.all(
      Object.values(tokens).map(async (token) => (await send(token, method, `${url}?dryRun=true`, payload)).statusCode),
    );
  expect(await statuses('PUT', '/v1/services/iam.test/versions/v3', VERSION)).toEqual([201, 201, 201, 403]);
  expect(await statuses('PUT', '/v1/services/shop.test/versions/v3', VERSION)).toEqual([201, 403, 201, 403]);
  expect(await statuses('PUT', '/v1/regions/jp', { title: 'Japan' })).toEqual([201, 403, 403, 403]);
  const own = { name: 'services/iam.test/versions/v3', ...VERSION };
  expect(await statuses('POST', '/v1/apply', [own])).toEqual([200, 200, 200, 403]);
  expect(await statuses('POST', '/v1/apply', [own, { name: 'regions/jp', title: 'Japan' }])).toEqual([
    200, 403, 403, 403,
  ]);
  expect(
    await statuses('POST', '/v1/instances', { service: 'iam.test', protocol: 'http', address: '10.0.0.1', port: 80 }),
  ).toEqual([201, 201, 201, 403]);
  expect(
    await statuses('POST', '/v1/instances', { service: 'other.test', protocol: 'http', address: '10.0.0.1', port: 80 }),
  ).toEqual([201, 403, 403, 403]);
  const created = await send(tokens.deployer, 'PUT', '/v1/services/new.test?dryRun=true', {
    displayName: 'x',
    globalEndpoint: 'new.test',
    primaryRegion: 'us',
  });
  expect(created.json()).toMatchObject({ project: 'core', creator: 'projects/core/service-accounts/deployer' });
});

test('SEC1 SEC3 an API document is published by whose version it is, and seen by who sees that', async () => {
  const document = { openapi: '3.1.0', info: { title: 'API', version: '1' } };
  const of = (service: string, v = 'v1'): string => `/v1/services/${service}/versions/${v}/document`;
  const status = async (token: string, method: string, url: string): Promise<number> =>
    (await send(token, method, url, method === 'PUT' ? document : undefined)).statusCode;
  expect(await status(await reader(), 'PUT', of('iam.test'))).toBe(403);
  expect(await status(await owner(), 'PUT', of('iam.test'))).toBe(201);
  // Private, and the project's.
  expect(await status(await account(), 'PUT', of('shop.test'))).toBe(201);
  for (const token of [await account(), await admin()]) expect(await status(token, 'GET', of('shop.test'))).toBe(200);
  expect(await status(await reader(), 'GET', of('iam.test'))).toBe(200);
  for (const token of [await reader(), await owner()]) {
    const hidden = await send(token, 'GET', of('shop.test'));
    const none = await send(token, 'GET', of('none.test'));
    const known = (text: string): unknown => ({ ...(JSON.parse(text) as object), requestId: '' });
    expect([hidden.statusCode, known(hidden.body.replaceAll('shop.test', 'none.test'))]).toEqual([
      404,
      known(none.body),
    ]);
    for (const method of ['PUT', 'DELETE'])
      expect(await status(token, method, of('shop.test'))).toBe(await status(token, method, of('none.test')));
  }
  expect(await status(await reader(), 'DELETE', of('iam.test'))).toBe(403);
  // Refused at the door: what is not theirs to publish is not kept either.
  const foreign = { ...document, info: { title: 'Not mine', version: '1' } };
  expect((await send(await owner(), 'PUT', of('shop.test'), foreign)).statusCode).toBe(403);
  expect(await stored.read(createHash('sha256').update(JSON.stringify(foreign)).digest('hex'))).toBeUndefined();
  expect(await status(await owner(), 'DELETE', of('iam.test'))).toBe(200);
  expect(await status(await account(), 'DELETE', of('shop.test'))).toBe(200);
});

test("SEC1 leases: only of those that are the bearer's, alone or in bulk", async () => {
  const registered = await send(await account(), 'POST', '/v1/instances', {
    service: 'shop.test',
    protocol: 'http',
    address: '10.0.0.9',
    port: 80,
    check: { type: 'ttl', ttl: '30s' },
  });
  const { id } = registered.json() as { id: string };
  const others = async (): Promise<number[]> => [
    (await send(await owner(), 'POST', `/v1/instances/${id}/renew`)).statusCode,
    (await send(await owner(), 'DELETE', `/v1/instances/${id}`)).statusCode,
  ];
  // A private service's instances are not there for others; those of a public one are, and are not theirs.
  expect(await others()).toEqual([404, 404]);
  await send(await account(), 'PATCH', '/v1/services/shop.test', { public: true });
  expect(await others()).toEqual([403, 403]);
  expect((await send(await owner(), 'POST', '/v1/instances/renew', { instances: [id] })).json()).toEqual({
    renewed: 0,
    unknown: [id],
  });
  expect((await send(await account(), 'POST', `/v1/instances/${id}/renew`)).statusCode).toBe(204);
  expect((await send(await account(), 'POST', '/v1/instances/renew', { instances: [id] })).json()).toEqual({
    renewed: 1,
    unknown: [],
  });
  expect((await send(await account(), 'DELETE', `/v1/instances/${id}`)).statusCode).toBe(200);
});

test('SEC1 an account that is removed from the catalog can do nothing more with its tokens', async () => {
  const token = await issuer.mint({ client_id: 'passing', sub: 'passing' });
  expect((await send(token, 'GET', '/v1/regions')).statusCode).toBe(403);
  await send(await admin(), 'PUT', '/v1/projects/core/service-accounts/passing', { clientId: 'passing' });
  expect((await send(token, 'GET', '/v1/regions')).statusCode).toBe(200);
  await send(await admin(), 'DELETE', '/v1/projects/core/service-accounts/passing');
  expect((await send(token, 'GET', '/v1/regions')).statusCode).toBe(403);
});

test('SEC2 with issuers nobody is an administrator for being on the same machine', async () => {
  const headers = { host: 'localhost:4400', origin: 'http://localhost:4400' };
  expect((await edge.app.inject({ url: '/v1/regions', headers })).statusCode).toBe(401);
  const elsewhere = {
    url: '/v1/regions',
    remoteAddress: '10.0.0.7',
    headers: { host: 'signalbox.example.com', authorization: `Bearer ${await reader()}` },
  };
  expect((await edge.app.inject(elsewhere)).statusCode).toBe(200);
});

test('a token in the URL is refused, even a good one beside another', async () => {
  const token = await admin();
  for (const url of [
    `/v1/regions?access_token=${token}`,
    `/v1/watch?access%5Ftoken=${token}`,
    `/livez?Access_Token=${token}`,
  ]) {
    const response = await send(token, 'GET', url);
    expect([url.slice(0, 20), response.statusCode, response.json().detail]).toEqual([
      url.slice(0, 20),
      400,
      expect.stringContaining('Authorization'),
    ]);
  }
});

test.each(['Basic cm9vdDpyb290', 'Bearer', 'Bearer a b', 'Bearer a,b', 'Token x', ''])(
  'Authorization: %s is no token',
  async (authorization) => {
    const response = await edge.app.inject({ url: '/v1/regions', headers: { authorization } });
    expect([response.statusCode, response.headers['www-authenticate']]).toEqual([401, 'Bearer realm="signalbox"']);
  },
);

test('the scheme is read in any case', async () => {
  const response = await edge.app.inject({
    url: '/v1/regions',
    headers: { authorization: `bEARER  ${await reader()}` },
  });
  expect(response.statusCode).toBe(200);
});

test('who does not belong is not told how much there is', async () => {
  for (const token of [undefined, await nobody()]) {
    const ready = await send(token, 'GET', '/readyz');
    expect([ready.statusCode, ready.body, ready.headers['x-signalbox-revision']]).toEqual([
      200,
      '{"ready":true}',
      undefined,
    ]);
    const nothing = await send(token, 'GET', '/nope');
    expect([nothing.statusCode, nothing.headers['x-signalbox-revision']]).toEqual([404, undefined]);
  }
  expect((await send(await reader(), 'GET', '/readyz')).json()).toMatchObject({
    ready: true,
    resources: expect.any(Number),
  });
});

test('before the catalog is loaded a stranger is a stranger, and everyone else waits', async () => {
  edge.catalog.ready = false;
  expect((await send(undefined, 'GET', '/v1/regions')).statusCode).toBe(401);
  expect((await send('a.b.c', 'GET', '/v1/regions')).statusCode).toBe(401);
  expect((await send(await account(), 'GET', '/v1/regions')).statusCode).toBe(503);
  edge.catalog.ready = true;
});

test('while the issuer is away its new keys are answered 503, and what was known goes on', async () => {
  const token = await issuer.mint({ groups: ['staff'], sub: 'late' });
  issuer.away = true;
  expect((await send(token, 'GET', '/v1/regions')).statusCode).toBe(200);
  const fresh = new Tokens([issuer.issuer()], {
    log: pino({ level: 'silent' }),
    now: () => performance.now(),
    clock: Date.now,
  });
  const other = await openEdge({ access: { development: false, tokens: fresh } });
  const response = await other.app.inject({ url: '/v1/regions', headers: { authorization: `Bearer ${token}` } });
  expect([response.statusCode, response.headers['retry-after'], response.json().type]).toEqual([
    503,
    '2',
    '/problems/issuer-unavailable',
  ]);
  issuer.away = false;
  await other.app.close();
});

test('no token is ever logged, whatever is done with it', async () => {
  // Everything that the tests before have sent was logged at trace.
  const token = await admin();
  await send(token, 'GET', `/v1/regions?access_token=${token}&x=1#y`);
  await send(token, 'PUT', `/v1/regions/us`, { token });
  edge.catalog.failure = Object.assign(new Error('broken'), {
    request: { headers: { authorization: `Bearer ${token}` } },
    token,
  });
  expect((await send(token, 'PUT', '/v1/regions/us', { title: 'x' })).statusCode).toBe(500);
  edge.catalog.failure = undefined;
  const text = logged.join('');
  expect(logged.length).toBeGreaterThan(500);
  expect(text).toContain('access_token=[redacted]&x=1');
  expect(text).toContain('"authorization":"[redacted]"');
  expect(text).not.toContain(token);
  // The beginning of a JWT: {"alg":
  expect(text).not.toMatch(/eyJhbGci/);
  expect(text).not.toMatch(new RegExp(token.split('.')[2] ?? ''));
});

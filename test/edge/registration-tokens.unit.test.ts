import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import type { InjectOptions } from 'fastify';
import { RegistrationTokens } from '../../src/auth/registration-tokens.ts';
import { RIGHTS } from '../../src/auth/rights.ts';
import { Tokens } from '../../src/auth/tokens.ts';
import type { AuditEntry } from '../../src/domain/audit.ts';
import { registrationTokenText } from '../../src/domain/registration-token.ts';
import { registrationTokenRoutes } from '../../src/edge/http/registration-tokens.ts';
import { subscribersRoute } from '../../src/edge/http/subscribers.ts';
import { registrarOf } from '../../src/edge/ws/registrar.ts';
import { watchRoute } from '../../src/edge/ws/watch.ts';
import { LOG_SAFETY } from '../../src/log.ts';
import { TokenDesk } from '../../src/registry/registration-tokens.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { LiveNode } from '../feed/live-node.ts';
import { MemoryRegistrationTokens } from '../support/memory-registration-tokens.ts';
import { AT, MANIFEST, openEdge, type Edge } from './harness.ts';

const DAY = 24 * 3_600_000;
const store = new MemoryRegistrationTokens();
const logged: string[] = [];
const noted: Omit<AuditEntry, 'at'>[] = [];
let clock = AT;
let monotonic = 0;
let issuer: IssuerServer;
let node: LiveNode;
let edge: Edge;
let local: Edge;

beforeAll(async () => {
  issuer = await IssuerServer.open();
  await issuer.addKey('rsa', 'RS256');
  const logger = pino({ level: 'trace', ...LOG_SAFETY }, { write: (line: string) => void logged.push(line) });
  const settings = { admins: ['platform'], readers: ['staff'], owners: { 'team-iam': ['iam'] } };
  const tokens = new Tokens([issuer.issuer(settings)], { log: logger, now: () => performance.now(), clock: Date.now });
  const registrationTokens = new RegistrationTokens({
    find: (ids) => store.find(ids),
    clock: () => clock,
    now: () => monotonic,
  });
  const desk = new TokenDesk({
    store,
    onRevoked: (id) => registrationTokens.revoked(id),
    random: (bytes) => randomBytes(bytes).toString('hex'),
    clock: () => clock,
  });
  node = await LiveNode.open();
  const { hub, instances, leases, tail } = node;
  const registrar = registrarOf({ instances, monitoring: leases, state: tail, log: logger });
  const routesFor = (of: () => Edge) =>
    registrationTokenRoutes({
      desk,
      state: {
        get view() {
          return of().catalog.view;
        },
      },
      maxLifeMs: 365 * DAY,
      clock: () => clock,
      audit: { note: (entry) => void noted.push(entry) },
    });
  edge = await openEdge({
    access: { development: false, tokens, registrationTokens },
    logger,
    clock: () => clock,
    plugins: [
      watchRoute({ hub, registrar, log: logger, maxFrameBytes: 65_536 }),
      subscribersRoute(hub),
      routesFor(() => edge),
    ],
  });
  local = await openEdge({ access: { development: true, registrationTokens }, plugins: [routesFor(() => local)] });
  for (const [token, of] of [
    [await admin(), edge],
    [undefined, local],
  ] as const) {
    const response = await send(token, 'POST', '/v1/apply', [...MANIFEST], of);
    expect([response.statusCode, response.body.slice(0, 300)]).toEqual([200, expect.any(String)]);
  }
});
afterAll(async () => {
  await Promise.all([edge.app.close(), local.app.close(), node.close(), issuer.close()]);
});
beforeEach(async () => {
  noted.length = 0;
  store.failing = false;
  // Each test begins with no tokens that are live.
  clock += 400 * DAY;
  await store.deleteEnded(clock);
});

const admin = (): Promise<string> => issuer.mint({ groups: ['platform'], sub: 'root' });
const reader = (): Promise<string> => issuer.mint({ groups: ['staff'], sub: 'rita' });
const owner = (): Promise<string> => issuer.mint({ groups: ['team-iam'], sub: 'otto' });
const account = (): Promise<string> => issuer.mint({ client_id: 'deployer', sub: 'deployer' });
const nobody = (): Promise<string> => issuer.mint({ sub: 'nils' });

type Method = NonNullable<InjectOptions['method']>;

const send = (token: string | undefined, method: string, url: string, payload?: object, of = edge) =>
  of.app.inject({
    method: method as Method,
    url,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(payload && { payload }),
  });

const tokensOf = (service: string): string => `/v1/services/${service}/registration-tokens`;

interface Made {
  readonly id: string;
  readonly token: string;
  readonly createTime: string;
  readonly expireTime: string;
}

async function make(service = 'iam.test', body: object = {}): Promise<Made> {
  const response = await send(await admin(), 'POST', tokensOf(service), body);
  expect([response.statusCode, response.body]).toEqual([201, expect.any(String)]);
  return response.json<Made>();
}

const instance = (service: string, port: number, more: object = {}): object => ({
  service,
  protocol: 'http',
  address: '10.0.0.1',
  port,
  ...more,
});

const iso = (ms: number): string => new Date(ms).toISOString();

test('a token is told once, and never again', async () => {
  const response = await send(await account(), 'POST', tokensOf('iam.test'), { title: 'the old farm', ttl: '2h' });
  expect([response.statusCode, response.headers['cache-control']]).toEqual([201, 'no-store']);
  const made = response.json<Made>();
  expect(made).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{24}$/),
    service: 'iam.test',
    title: 'the old farm',
    createTime: iso(clock),
    expireTime: iso(clock + 7_200_000),
    createdBy: 'deployer',
    token: expect.stringMatching(/^sbr_[0-9a-f]{24}_[0-9a-f]{72}$/),
  });
  const { token, ...shown } = made;
  const listed = await send(await owner(), 'GET', tokensOf('iam.test'));
  expect(listed.json()).toEqual({ items: [shown], nextPageToken: '' });
  expect(JSON.stringify(await store.list('iam.test', { limit: 9 }))).not.toContain(token.slice(29, 60));
});

test('without a body it is good for 90 days; how long it is good has bounds', async () => {
  const bare = await send(await admin(), 'POST', tokensOf('iam.test'));
  expect(bare.json()).toMatchObject({ expireTime: iso(clock + 90 * DAY) });
  const until = await make('iam.test', { expireTime: iso(clock + 5 * DAY) });
  expect(until.expireTime).toBe(iso(clock + 5 * DAY));
  for (const [body, pointer] of [
    [{ ttl: '8761h' }, '/ttl'],
    [{ ttl: '90d' }, '/ttl'],
    [{ ttl: 5 }, '/ttl'],
    [{ expireTime: 'soon' }, '/expireTime'],
    [{ expireTime: iso(clock - 1) }, '/expireTime'],
    [{ title: '' }, '/title'],
    [{ title: 'a\u001bb' }, '/title'],
    [{ scope: 'all' }, ''],
    [[], ''],
  ] as const) {
    const response = await send(await admin(), 'POST', tokensOf('iam.test'), body);
    expect([body, response.statusCode, response.json().errors[0].pointer]).toEqual([
      body,
      400,
      expect.stringContaining(pointer),
    ]);
  }
});

test('SEC1 tokens of a service are its own people’s: administrators, its accounts and owners', async () => {
  const { id } = await make('shop.test');
  const statuses = async (method: string, url: string): Promise<number[]> =>
    Promise.all(
      [admin, account, owner, reader, nobody].map(async (who) => (await send(await who(), method, url)).statusCode),
    );
  expect(await statuses('GET', tokensOf('iam.test'))).toEqual([200, 200, 200, 403, 403]);
  expect(await statuses('POST', tokensOf('iam.test'))).toEqual([201, 201, 201, 403, 403]);
  expect(await statuses('GET', tokensOf('shop.test'))).toEqual([200, 200, 403, 403, 403]);
  expect(await statuses('POST', tokensOf('shop.test'))).toEqual([201, 201, 403, 403, 403]);
  expect(await statuses('DELETE', `${tokensOf('shop.test')}/${id}`)).toEqual([200, 200, 403, 403, 403]);
  // Through another service's path there is no way to it.
  expect((await send(await owner(), 'DELETE', `${tokensOf('iam.test')}/${id}`)).statusCode).toBe(404);
});

test('a service has to be in the catalog', async () => {
  for (const [method, path] of [
    ['POST', ''],
    ['GET', ''],
    ['DELETE', `/${'f'.repeat(24)}`],
  ] as const)
    expect((await send(await admin(), method, tokensOf('none.test') + path)).statusCode).toBe(404);
  expect((await send(await account(), 'POST', tokensOf('none.test'))).statusCode).toBe(403);
  expect((await send(await admin(), 'POST', tokensOf('NONE'))).statusCode).toBe(400);
});

test('the list comes in pages', async () => {
  const made: string[] = [];
  for (let i = 0; i < 5; i++) {
    clock += 1;
    made.push((await make()).id);
  }
  const token = await admin();
  const pages: string[][] = [];
  let next = '';
  do {
    const response = await send(token, 'GET', `${tokensOf('iam.test')}?pageSize=2&pageToken=${next}`);
    const page = response.json<{ items: Made[]; nextPageToken: string }>();
    pages.push(page.items.map(({ id }) => id));
    next = page.nextPageToken;
    if (pages.length === 1) {
      const elsewhere = await send(token, 'GET', `${tokensOf('shop.test')}?pageToken=${next}`);
      expect(elsewhere.statusCode).toBe(400);
    }
  } while (next !== '');
  expect(pages).toEqual([made.slice(0, 2), made.slice(2, 4), made.slice(4)]);
  for (const query of ['pageToken=x', 'pageSize=0', 'filter=x'])
    expect((await send(token, 'GET', `${tokensOf('iam.test')}?${query}`)).statusCode).toBe(400);
});

test('a service has twenty live tokens at most; one that was revoked makes room', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => make()));
  const refused = await send(await admin(), 'POST', tokensOf('iam.test'));
  expect([refused.statusCode, refused.json()]).toEqual([
    409,
    expect.objectContaining({ type: '/problems/too-many-tokens', detail: expect.stringContaining('revoke one') }),
  ]);
  await make('shop.test');
  await send(await admin(), 'DELETE', `${tokensOf('iam.test')}/${made[7]?.id}`);
  await make();
});

test('revoking twice is revoking once, and what is no id is not repeated', async () => {
  const { id, token } = await make();
  const url = `${tokensOf('iam.test')}/${id}`;
  const first = await send(await admin(), 'DELETE', url);
  clock += 1000;
  const second = await send(await admin(), 'DELETE', url);
  expect([first.statusCode, first.json().revokeTime]).toEqual([200, iso(clock - 1000)]);
  expect(second.json()).toEqual(first.json());
  expect((await send(await admin(), 'DELETE', `${tokensOf('iam.test')}/${'f'.repeat(24)}`)).statusCode).toBe(404);
  const pasted = await send(await admin(), 'DELETE', `${tokensOf('iam.test')}/${token}`);
  expect([pasted.statusCode, pasted.body.includes(token.slice(4))]).toEqual([404, false]);
});

test('while the database is away nothing is made and nothing is told', async () => {
  store.failing = true;
  for (const method of ['POST', 'GET'])
    expect((await send(await admin(), method, tokensOf('iam.test'))).json()).toMatchObject({
      type: '/problems/store-unavailable',
      status: 503,
    });
  const unknown = registrationTokenText('f'.repeat(24), 'e'.repeat(64));
  const response = await send(unknown, 'POST', '/v1/instances', instance('iam.test', 1));
  expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '2']);
});

test('SEC5 making and revoking are told to the audit, without the token', async () => {
  const response = await send(await account(), 'POST', tokensOf('iam.test'), {});
  const { id, token } = response.json<Made>();
  await send(await owner(), 'DELETE', `${tokensOf('iam.test')}/${id}`);
  const common = {
    category: 'operation',
    target: 'services/iam.test',
    service: 'iam.test',
    requestId: expect.any(String),
  };
  expect(noted).toEqual([
    {
      ...common,
      subject: 'deployer',
      account: 'projects/core/service-accounts/deployer',
      project: 'core',
      action: 'token.create',
      result: 'created',
      address: '127.0.0.1',
      detail: expect.stringContaining(id),
    },
    {
      ...common,
      subject: 'otto',
      action: 'token.revoke',
      result: 'ok',
      address: '127.0.0.1',
      detail: expect.stringContaining(id),
    },
  ]);
  expect(JSON.stringify(noted)).not.toContain(token.slice(29, 60));
});

test('a registrar registers, renews and deregisters instances of its service', async () => {
  const { token, id: tokenId } = await make();
  for (const check of [
    { type: 'ttl', ttl: '30s' },
    { type: 'http', path: '/health' },
    { type: 'tcp', port: 9000 },
  ]) {
    const registered = await send(token, 'POST', '/v1/instances', instance('iam.test', 80, { check, region: 'us' }));
    expect([registered.statusCode, registered.body]).toEqual([expect.any(Number), expect.stringContaining('iam.test')]);
    expect(edge.catalog.entries.at(-1)?.author).toBe(`registration-token:${tokenId}`);
    const { id, generation } = registered.json<{ id: string; generation: number }>();
    expect((await send(token, 'POST', `/v1/instances/${id}/renew`, { generation })).statusCode).toBe(204);
    const many = await send(token, 'POST', '/v1/instances/renew', { instances: [{ id, generation }] });
    expect(many.json()).toEqual({ renewed: 1, unknown: [] });
    expect((await send(token, 'DELETE', `/v1/instances/${id}?generation=${generation}`)).statusCode).toBe(200);
    expect((await send(token, 'DELETE', `/v1/instances/${id}`)).statusCode).toBe(404);
    expect((await send(token, 'POST', `/v1/instances/${id}/renew`)).statusCode).toBe(404);
  }
  const denied = await send(token, 'POST', '/v1/instances', {
    ...instance('iam.test', 80, { check: { type: 'http' } }),
    address: '169.254.1.1',
  });
  expect(denied.statusCode).toBe(400);
});

test('SEC1 a registrar does nothing to another service, alone or among others', async () => {
  const mine = await send(await admin(), 'POST', '/v1/instances', instance('iam.test', 81));
  const theirs = await send(await admin(), 'POST', '/v1/instances', instance('shop.test', 82));
  const [own, other] = [mine.json<{ id: string }>().id, theirs.json<{ id: string }>().id];
  const { token } = await make();
  const before = edge.catalog.head.revision;
  const renewedBefore = edge.leases.renewed.length;
  expect((await send(token, 'POST', '/v1/instances', instance('shop.test', 83))).statusCode).toBe(403);
  expect((await send(token, 'POST', '/v1/instances?dryRun=true', instance('shop.test', 83))).statusCode).toBe(403);
  expect((await send(token, 'POST', '/v1/instances', instance('loose.test', 83))).statusCode).toBe(403);
  const gone = 'f'.repeat(24);
  // SEC3: what is another's is as what is nobody's.
  for (const [method, end] of [
    ['POST', '/renew'],
    ['DELETE', ''],
  ] as const) {
    const answers = await Promise.all([other, gone].map((id) => send(token, method, `/v1/instances/${id}${end}`)));
    const [of, none] = answers.map((answer) => ({ ...answer.json<object>(), requestId: '' }));
    expect(of).toMatchObject({ status: 404, type: '/problems/not-found' });
    expect(of).toEqual(none);
  }
  const many = await send(token, 'POST', '/v1/instances/renew', { instances: [other, own, gone] });
  expect(many.json()).toEqual({ renewed: 1, unknown: [other, gone] });
  expect(edge.leases.renewed.slice(renewedBefore)).toEqual([own]);
  expect(edge.catalog.head.revision).toBe(before);
  const refused = await send(token, 'POST', '/v1/instances', instance('shop.test', 83));
  expect(refused.body).not.toContain(token.slice(4, 60).split('_')[1]);
});

const pathOf = (url: string): string =>
  url
    .replace('/docs/static/*', '/docs/static/index.css')
    .replace(':instance', 'f'.repeat(24))
    .replaceAll(/:[a-zA-Z]+/g, 'us');

test('SEC1 every route with a registration token: registering and what is for everyone, nothing else', async () => {
  const { token } = await make();
  const open = Object.entries(RIGHTS).filter(([, row]) => row.registrar !== 'none');
  expect(open.map(([action]) => action)).toEqual(['instance.register', 'session.use', 'health.read', 'docs.read']);
  let refused = 0;
  for (const { method, url, action } of edge.app.routeTable.entries) {
    const { statusCode } = await send(token, method, pathOf(url));
    const met = [401, 403].includes(statusCode) ? statusCode : 'open';
    expect([method, url, met]).toEqual([method, url, RIGHTS[action].registrar === 'none' ? 403 : 'open']);
    if (met === 403) refused += 1;
  }
  expect(refused).toBeGreaterThan(40);
  expect(edge.app.routeTable.entries.map(({ url }) => url)).toContain(`${tokensOf(':service')}/:token`);
});

test.each<[what: string, make: () => Promise<string>]>([
  ['malformed', () => Promise.resolve('sbr_x')],
  ['cut off', async () => (await make()).token.slice(0, -1)],
  ['unknown', () => Promise.resolve(registrationTokenText('e'.repeat(24), 'e'.repeat(64)))],
  ['with another secret', async () => registrationTokenText((await make()).id, 'e'.repeat(64))],
  [
    'revoked',
    async () => {
      const { id, token } = await make();
      await send(await admin(), 'DELETE', `${tokensOf('iam.test')}/${id}`);
      return token;
    },
  ],
  [
    'expired',
    async () => {
      const { token } = await make('iam.test', { ttl: '1m' });
      clock += 60_000;
      return token;
    },
  ],
])('SEC1 every route with a registration token that is %s is 401', async (_what, bad) => {
  const token = await bad();
  for (const { method, url } of edge.app.routeTable.entries) {
    const response = await send(token, method, pathOf(url));
    expect([method, url, response.statusCode]).toEqual([method, url, 401]);
    expect(response.headers['www-authenticate']).toContain('error="invalid_token"');
    expect(response.headers['x-signalbox-revision']).toBeUndefined();
  }
});

test('SEC1 a token is good no more at once when it is revoked, between two renewals', async () => {
  const { id, token } = await make();
  const registered = await send(token, 'POST', '/v1/instances', instance('iam.test', 84));
  const renew = `/v1/instances/${registered.json<{ id: string }>().id}/renew`;
  expect((await send(token, 'POST', renew)).statusCode).toBe(204);
  await send(await admin(), 'DELETE', `${tokensOf('iam.test')}/${id}`);
  expect((await send(token, 'POST', renew)).json()).toMatchObject({
    status: 401,
    detail: expect.stringContaining('revoked'),
  });
});

test('SEC1 a token ends with its service, and does not open another of the same name', async () => {
  const document = {
    displayName: 'x',
    globalEndpoint: 'x.test',
    primaryRegion: 'us',
    project: 'core',
    creator: 'projects/core/service-accounts/deployer',
  };
  await send(await admin(), 'PUT', '/v1/services/x.test', document);
  const { token } = await make('x.test');
  const register = async (): Promise<number> =>
    (await send(token, 'POST', '/v1/instances', instance('x.test', 85))).statusCode;
  expect(await register()).toBe(201);
  await send(await admin(), 'PUT', '/v1/services/x.test', { ...document, displayName: 'y' });
  expect(await register()).toBe(200);
  await send(await admin(), 'DELETE', '/v1/services/x.test');
  expect(await register()).toBe(403);
  expect((await send(token, 'GET', '/readyz')).statusCode).toBe(200);
  clock += 1;
  await send(await admin(), 'PUT', '/v1/services/x.test', document);
  expect(await register()).toBe(403);

  // The clock of the node that made the service may have been ahead.
  clock -= 5000;
  const other = await make('x.test');
  expect((await send(other.token, 'POST', '/v1/instances', instance('x.test', 86))).statusCode).toBe(201);
});

test('in development mode the bearer of a registration token is the registrar and nobody else', async () => {
  const made = await send(undefined, 'POST', tokensOf('iam.test'), {}, local);
  const { token, id } = made.json<Made>();
  expect(made.json()).toMatchObject({ createdBy: 'development' });
  expect((await send(token, 'POST', '/v1/instances', instance('iam.test', 86), local)).statusCode).toBe(201);
  for (const [method, url] of [
    ['GET', '/v1/regions'],
    ['POST', tokensOf('iam.test')],
    ['POST', '/v1/apply'],
  ] as const)
    expect((await send(token, method, url, undefined, local)).statusCode).toBe(403);
  expect((await send(token, 'POST', '/v1/instances', instance('shop.test', 86), local)).statusCode).toBe(403);
  await send(undefined, 'DELETE', `${tokensOf('iam.test')}/${id}`, undefined, local);
  expect((await send(token, 'GET', '/v1/regions', undefined, local)).statusCode).toBe(401);
  // Whatever else is sent along by habit does no harm.
  expect((await send('a.b.c', 'GET', '/v1/regions', undefined, local)).statusCode).toBe(200);
});

test('no registration token is ever logged, whatever is done with it', async () => {
  const { token } = await make();
  const secret = token.slice(29);
  await send(token, 'POST', '/v1/instances', instance('iam.test', 87));
  await send(token, 'GET', `/v1/regions?access_token=${token}`);
  await send(await admin(), 'GET', `/v1/instances/${token}`);
  await send(await admin(), 'GET', `/nothing/${token}`);
  await send(await admin(), 'DELETE', `${tokensOf('iam.test')}/${token}`);
  await send(await admin(), 'DELETE', `${tokensOf(token)}/${token}`);
  await send(await admin(), 'GET', `/v1/regions?filter=${token}`);
  edge.catalog.failure = Object.assign(new Error('broken'), {
    request: { headers: { authorization: `Bearer ${token}` } },
    token,
  });
  expect((await send(token, 'POST', '/v1/instances', instance('iam.test', 87))).statusCode).toBe(500);
  edge.catalog.failure = undefined;
  const text = logged.join('');
  expect(logged.length).toBeGreaterThan(200);
  expect(text).toContain('sbr_[redacted]');
  expect(text).not.toContain(secret);
  // Nor any other of the tests before.
  expect(text).not.toMatch(/sbr_[0-9a-f]{24}_/);
});

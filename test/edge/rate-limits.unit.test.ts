import { afterEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { Agent, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { rateClassOf } from '../../src/auth/rate-class.ts';
import { RateLimits, type RateLimitSettings } from '../../src/auth/rate-limits.ts';
import { RegistrationTokens } from '../../src/auth/registration-tokens.ts';
import { Sessions } from '../../src/auth/sessions.ts';
import { Site } from '../../src/auth/site.ts';
import { Tokens } from '../../src/auth/tokens.ts';
import { registrationTokenText } from '../../src/domain/registration-token.ts';
import type { Access } from '../../src/edge/identify.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { MemorySessions } from '../support/memory-sessions.ts';
import { openFilledEdge, type Edge } from './harness.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const world = { now: 0, lag: 0 };

async function open(
  settings: RateLimitSettings,
  more: Partial<Access> = {},
): Promise<{ edge: Edge; issuer: IssuerServer }> {
  const issuer = await IssuerServer.open();
  closers.push(() => issuer.close());
  const log = pino({ level: 'silent' });
  const tokens = new Tokens([issuer.issuer({ admins: ['platform'], readers: ['staff'] })], {
    log,
    now: () => performance.now(),
    clock: Date.now,
  });
  Object.assign(world, { now: 0, lag: 0 });
  const limits = new RateLimits({ settings, now: () => world.now, lag: () => world.lag, refused: () => {} });
  const access: Access = { development: true, tokens, ...more };
  const edge = await openFilledEdge({ access });
  await edge.app.close();
  const limited = await openFilledEdge({ access, limits });
  closers.push(() => limited.app.close());
  // The manifest was the development administrator's; from here on nobody is without a token.
  Object.assign(access, { development: false });
  return { edge: limited, issuer };
}

const ask = (edge: Edge, token: string | undefined, url: string, method: 'GET' | 'POST' | 'PUT' = 'GET') =>
  edge.app.inject({
    url,
    method,
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
    ...(method !== 'GET' && { payload: { title: 'x' } }),
  });

test('a caller that asks too much is answered 429 with Retry-After, another is not, and waiting helps', async () => {
  const { edge, issuer } = await open({ rates: { list: { perSecond: 0.25, burst: 2 } } });
  const rita = await issuer.mint({ groups: ['staff'], sub: 'rita' });
  const ron = await issuer.mint({ groups: ['staff'], sub: 'ron' });
  for (let i = 0; i < 2; i++) expect((await ask(edge, rita, '/v1/regions')).statusCode).toBe(200);
  const refused = await ask(edge, rita, '/v1/services');
  expect([refused.statusCode, refused.headers['retry-after'], refused.headers['content-type']]).toEqual([
    429,
    '4',
    'application/problem+json; charset=utf-8',
  ]);
  expect(refused.json()).toMatchObject({
    type: '/problems/rate-limited',
    retryAfter: 4,
    detail: expect.stringContaining('RATE_LIMIT_LIST'),
  });
  expect((await ask(edge, ron, '/v1/regions')).statusCode).toBe(200);
  expect((await ask(edge, rita, '/v1/regions/us')).statusCode).toBe(200);
  // The same person with another token.
  const again = await issuer.mint({ groups: ['staff'], sub: 'rita', jti: '2' });
  expect((await ask(edge, again, '/v1/regions')).statusCode).toBe(429);
  world.now += 4000;
  expect((await ask(edge, rita, '/v1/regions')).statusCode).toBe(200);
});

test('what is refused with 403 counts as well', async () => {
  const { edge, issuer } = await open({ rates: { write: { perSecond: 1, burst: 2 } } });
  const rita = await issuer.mint({ groups: ['staff'], sub: 'rita' });
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await ask(edge, rita, '/v1/regions/us', 'PUT')).statusCode);
  expect(statuses).toEqual([403, 403, 429, 429]);
});

test('who is not known is counted by address, who is known at the same address is not, and health always answers', async () => {
  const { edge, issuer } = await open({ rates: {}, unknown: { perSecond: 1, burst: 3 } });
  const rita = await issuer.mint({ groups: ['staff'], sub: 'rita' });
  const expired = await issuer.mint({ sub: 'eve', exp: 1 });
  const met = [];
  for (const token of [undefined, 'a.b.c', expired, undefined, 'a.b.c', expired])
    met.push((await ask(edge, token, '/v1/regions')).statusCode);
  expect(met).toEqual([401, 401, 401, 429, 429, 429]);
  // Nowhere is one that is not counted.
  expect((await ask(edge, undefined, '/nope')).statusCode).toBe(429);
  expect((await ask(edge, undefined, '/docs')).statusCode).toBe(429);
  for (let i = 0; i < 10; i++) {
    expect((await ask(edge, rita, '/v1/regions')).statusCode).toBe(200);
    expect((await ask(edge, undefined, '/livez')).statusCode).toBe(200);
    expect((await ask(edge, undefined, '/readyz')).statusCode).toBe(200);
  }
});

test('SEC1 an address that has asked too much has no more credentials looked up, and those that are known go on', async () => {
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
  let found = 0;
  const registrationTokens = new RegistrationTokens({
    find: () => Promise.resolve((found++, [])),
    clock: Date.now,
    now: () => performance.now(),
  });
  const site = new Site('https://signalbox.test');
  const more = { sessions: { sessions, site }, registrationTokens };
  const { edge } = await open({ rates: {}, unknown: { perSecond: 1, burst: 4 } }, more);
  const identity = {
    subject: 'rita',
    administrator: false,
    reader: true,
    owns: { apiIds: [], services: [], groups: [] },
  };
  const { credential } = await sessions.start({ identity, tokenEndsAt: Date.now() + 3_600_000 }, 'https://login.test');
  const { credential: another } = await sessions.start(
    { identity, tokenEndsAt: Date.now() + 3_600_000 },
    'https://login.test',
  );
  const withCookie = async (value: string, url = '/v1/regions') =>
    (await edge.app.inject({ url, headers: { cookie: `${site.cookies.session}=${value}` } })).statusCode;
  const guess = () => randomBytes(32).toString('base64url');
  const registers = (n: number) => registrationTokenText(n.toString(16).padStart(24, '0'), '5e'.repeat(32));
  expect(await withCookie(credential)).toBe(200);
  rows.asked = 0;
  for (let i = 0; i < 3; i++) expect(await withCookie(guess())).toBe(401);
  expect((await ask(edge, registers(1), '/v1/regions')).statusCode).toBe(401);
  expect([rows.asked, found]).toEqual([3, 1]);
  for (let i = 0; i < 5; i++) {
    expect([await withCookie(guess()), await withCookie(guess(), '/nope')]).toEqual([429, 429]);
    expect((await ask(edge, registers(2 + i), '/v1/regions')).statusCode).toBe(429);
    // Health always answers, and looks nothing up for it.
    expect([await withCookie(guess(), '/livez'), await withCookie(guess(), '/readyz')]).toEqual([200, 200]);
  }
  expect([await withCookie(credential), await withCookie(another), rows.asked, found]).toEqual([200, 429, 3, 1]);
  world.now += 1000;
  expect(await withCookie(another)).toBe(200);
  expect(await withCookie(another)).toBe(200);
});

test('a node that is late turns away what can wait, in the order that RATE_CLASSES says', async () => {
  const { edge, issuer } = await open({ rates: {}, bearableLagMs: 100 });
  const rita = await issuer.mint({ groups: ['staff'], sub: 'rita' });
  const root = await issuer.mint({ groups: ['platform'], sub: 'root' });
  const met = async () => {
    const found = [];
    for (const [method, url] of [
      ['PUT', '/v1/regions/us'],
      ['GET', '/v1/regions'],
      ['GET', '/v1/changes?since=0'],
      ['GET', '/v1/services/iam.test/instances'],
      ['GET', '/v1/changes?since=0&wait=1ms'],
      ['POST', '/v1/instances/renew'],
    ] as const)
      found.push((await ask(edge, rita, url, method)).statusCode);
    return found;
  };
  // She may not write; without load she is told so.
  expect(await met()).toEqual([403, 200, 200, 200, 200, 403]);
  world.lag = 150;
  expect(await met()).toEqual([429, 200, 200, 200, 200, 403]);
  world.lag = 250;
  expect(await met()).toEqual([429, 429, 429, 200, 200, 403]);
  world.lag = 500;
  expect(await met()).toEqual([429, 429, 429, 429, 200, 403]);
  world.lag = 1000;
  expect(await met()).toEqual([429, 429, 429, 429, 429, 403]);
  expect((await ask(edge, root, '/v1/regions')).statusCode).toBe(200);
  expect((await ask(edge, undefined, '/livez')).statusCode).toBe(200);
  world.lag = 2000;
  expect((await met()).at(-1)).toBe(429);
});

test('the connection stays open, whatever is refused on it', async () => {
  const { edge, issuer } = await open({ rates: { read: { perSecond: 1, burst: 1 } } });
  await edge.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = edge.app.server.address() as AddressInfo;
  const rita = await issuer.mint({ groups: ['staff'], sub: 'rita' });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  const statuses: (number | undefined)[] = [];
  for (let i = 0; i < 20; i++) {
    await new Promise<void>((resolve, reject) => {
      const options = { agent, port, path: '/v1/regions/us', headers: { authorization: `Bearer ${rita}` } };
      get(options, (response) => {
        ports.add(response.socket.localPort);
        statuses.push(response.statusCode);
        response.resume().on('end', resolve);
      }).on('error', reject);
    });
  }
  agent.destroy();
  expect(statuses).toEqual([200, ...Array.from({ length: 19 }, () => 429)]);
  expect(ports.size).toBe(1);
});

test('development mode has no limits, since nothing in it is made with any', async () => {
  const edge = await openFilledEdge();
  closers.push(() => edge.app.close());
  const met = new Set<number>();
  for (let i = 0; i < 300; i++) met.add((await ask(edge, undefined, '/v1/regions')).statusCode);
  expect([...met]).toEqual([200]);
});

test('every route that there is has a class, but for health', async () => {
  const { edge } = await open({ rates: {} });
  const found = new Map<string, Set<string | undefined>>();
  for (const entry of edge.app.routeTable.entries) {
    const known = found.get(entry.url) ?? new Set();
    found.set(entry.url, known.add(rateClassOf(entry)));
  }
  const without = [...found].filter(([, classes]) => classes.has(undefined)).map(([url]) => url);
  expect(new Set(without)).toEqual(new Set(['/livez', '/readyz']));
  expect(found.get('/v1/instances')).toEqual(new Set(['write', 'list']));
  expect(found.get('/v1/services/:service/instances')).toEqual(new Set(['read']));
});

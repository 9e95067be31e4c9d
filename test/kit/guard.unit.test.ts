import { afterEach, beforeAll, afterAll, describe, expect, test } from '@jest/globals';
import { createGuard } from '../../src/kit/index.ts';
import { forge, IssuerServer } from '../auth/issuer-server.ts';
import { SERVICE, startFastify, startHttp, STARTS, type Running } from './apps.ts';
import { until } from './until.ts';

const ROUTES: readonly [method: string, path: string][] = [
  ['GET', `/adm/health/${SERVICE}`],
  ['GET', '/adm/server/info'],
  ['GET', '/adm/logger'],
  ['POST', '/adm/logger'],
  ['GET', '/adm/logger/ROOT'],
  ['GET', '/adm/chaosmonkey'],
  ['POST', '/adm/chaosmonkey/exception'],
  ['DELETE', '/adm/shutdown'],
  ['POST', '/adm/shutdown'],
  // What is not there is refused like what is.
  ['GET', '/adm/no/such/thing'],
  ['PUT', '/adm/logger'],
  ['GET', '/adm'],
  ['GET', '/adm/'],
];

let issuer: IssuerServer;
let other: IssuerServer;
beforeAll(async () => {
  [issuer, other] = await Promise.all([IssuerServer.open(), IssuerServer.open()]);
});
afterAll(() => Promise.all([issuer.close(), other.close()]));

const guard = (): { issuer: string; audience: string } => ({ issuer: issuer.url, audience: 'signalbox' });

const now = (): number => Math.floor(Date.now() / 1000);

/** Tokens that are refused with 401, and those with 403. */
const WRONG: readonly [what: string, status: number, make: () => Promise<string | undefined>][] = [
  ['no token', 401, async () => undefined],
  ['no JWT', 401, async () => 'abc'],
  ['an unsigned token', 401, async () => forge({ iss: issuer.url, aud: 'signalbox', scope: 'admin' }, { alg: 'none' })],
  ['a token of another issuer', 401, () => other.mint({ scope: 'admin' })],
  ['a token with a signature of another issuer', 401, () => other.mint({ iss: issuer.url, scope: 'admin' })],
  ['a token for another audience', 401, () => issuer.mint({ aud: 'shop', scope: 'admin' })],
  ['an expired token', 401, () => issuer.mint({ exp: now() - 60, scope: 'admin' })],
  ['a token without an end', 401, () => issuer.mint({ exp: undefined, scope: 'admin' })],
  ['a token for later', 401, () => issuer.mint({ nbf: now() + 60, scope: 'admin' })],
  ['a logout token', 401, () => issuer.mint({ scope: 'admin' }, { typ: 'logout+jwt' })],
  ['an ID token', 401, () => issuer.mint({ scope: 'admin', at_hash: 'x' }, { typ: 'JWT' })],
  ['no scope', 403, () => issuer.mint()],
  ['another scope', 403, () => issuer.mint({ scope: 'orders.read administrator xadmin admin.orders' })],
  ["another service's scope", 403, () => issuer.mint({ scope: 'billing.admin billing.test/admin' })],
];

const RIGHT: readonly [what: string, claims: Readonly<Record<string, unknown>>][] = [
  ['admin', { scope: 'openid admin' }],
  ['{apiId}.admin', { scope: 'ord1.admin' }],
  ['{apiId}/admin', { scope: ['x', 'ord1/admin'] }],
  ['{serviceId}.admin', { scp: `${SERVICE}.admin` }],
  ['{serviceId}/admin', { scp: ['y', `${SERVICE}/admin`] }],
];

describe.each(STARTS)('%s', (_name, start) => {
  let running: Running | undefined;
  afterEach(() => running?.close());

  test.each(WRONG)('SEC1 %s is refused everywhere, and no answer tells what there is', async (_what, status, make) => {
    running = await start({ guard: guard(), apiId: 'ord1', shutdown: true, chaos: true });
    const token = await make();
    const answers = new Set<string>();
    for (const [method, path] of ROUTES) {
      const answer = await running.ask(path, { method, ...(token !== undefined && { token }) });
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="orders\.test"/);
      answers.add(`${await answer.text()} ${answer.headers.get('www-authenticate')}`);
    }
    expect(answers.size).toBe(1);
    expect((await running.ask('/orders')).status).toBe(200);
  });

  test.each(RIGHT)('SEC1 %s is let in', async (_what, claims) => {
    running = await start({ guard: guard(), apiId: 'ord1', chaos: true });
    const token = await issuer.mint(claims);
    expect((await running.ask(`/adm/health/${SERVICE}`, { token })).status).toBe(200);
    expect((await running.ask('/adm/server/info', { token })).status).toBe(200);
    expect((await running.ask('/adm/logger', { token, json: [{ name: 'ROOT', level: 'warn' }] })).status).toBe(200);
    expect((await running.ask('/adm/chaosmonkey/latency', { token, json: {} })).status).toBe(200);
    expect((await running.ask('/adm/no/such/thing', { token })).status).toBe(404);
    const wrongMethod = await running.ask('/adm/logger', { token, method: 'PUT' });
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'GET, POST']);
    // Shutdown is not there unless it was asked for.
    expect((await running.ask('/adm/shutdown', { token, method: 'DELETE' })).status).toBe(404);
  });

  test('SEC2 without a guard nobody is let in, not even with a good token, and the answer says how to configure one', async () => {
    running = await start();
    for (const token of [undefined, await issuer.mint({ scope: 'admin' })]) {
      for (const [method, path] of ROUTES) {
        const answer = await running.ask(path, { method, ...(token !== undefined && { token }) });
        expect([path, answer.status]).toEqual([path, 403]);
        expect(((await answer.json()) as { detail: string }).detail).toContain('guard');
      }
    }
  });

  test('SEC2 development is open on loopback alone', async () => {
    running = await start({ guard: 'development' });
    expect((await running.ask('/adm/logger')).status).toBe(200);
    for (const headers of [
      { 'x-forwarded-for': '10.0.0.1' },
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[])
      expect((await running.ask('/adm/logger', { headers })).status).toBe(403);
    await running.close();
    running = await start({ guard: 'development' }, '0.0.0.0');
    const refused = await running.ask('/adm/logger');
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('not bound to a loopback address');
  });

  test('SEC5 each call is in the log with who, what and what came of it, also when the level of the root hides the rest', async () => {
    running = await start({ guard: guard() });
    const token = await issuer.mint({ sub: 'olga', scope: 'admin' });
    await running.ask('/adm/logger', { token, json: [{ name: 'ROOT', level: 'silent' }] });
    await running.ask('/adm/logger', { token: 'abc' });
    await running.ask('/adm/logger/ROOT', { token });
    const audit = running.log.filter((line) => 'audit' in line).map((line) => line['audit']);
    expect(audit).toEqual([
      expect.objectContaining({ subject: 'olga', action: 'POST /adm/logger', result: 200, detail: 'ROOT=silent' }),
      expect.objectContaining({ subject: 'anonymous', action: 'GET /adm/logger', result: 401 }),
      expect.objectContaining({ subject: 'olga', action: 'GET /adm/logger/ROOT', result: 200 }),
    ]);
    expect(JSON.stringify(running.log)).not.toContain(token);
  });
});

let running: Running | undefined;
afterEach(() => running?.close());

test('SEC2 development is said loudly at the start', async () => {
  running = await startFastify({ guard: 'development' });
  await until(() => running?.log.some(({ msg, level }) => level === 40 && msg.includes("guard is 'development'")));
});

test('SEC1 what is refused is refused before its body is read', async () => {
  running = await startFastify({ guard: guard() });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{no json' };
  expect((await running.ask('/adm/logger', init)).status).toBe(401);
  const token = await issuer.mint({ scope: 'admin' });
  expect((await running.ask('/adm/logger', { ...init, token })).status).toBe(400);
  expect((await running.ask('/adm/logger', { ...init, body: 'x'.repeat(70_000), token })).status).toBe(413);
});

test('a new key is found, unknown ones ask the issuer no more than once in a while, and known keys stay good while it is away', async () => {
  running = await startHttp({ guard: { ...guard(), cooldownMs: 60_000, keysMaxAgeMs: 0 } });
  const ask = async (token: string): Promise<number> => (await running!.ask('/adm/logger', { token })).status;
  const good = await issuer.mint({ scope: 'admin' });
  expect(await ask(good)).toBe(200);
  issuer.away = true;
  try {
    expect(await ask(good)).toBe(200);
    await issuer.addKey('k-new', 'ES256', false);
    const before = issuer.asked.length;
    for (let n = 0; n < 5; n++) expect(await ask(await issuer.mint({ scope: 'admin' }, { kid: 'k-new' }))).toBe(503);
    expect(issuer.asked.length - before).toBeLessThanOrEqual(1);
  } finally {
    issuer.away = false;
  }
});

test('an unknown kid makes the keys be read again, within its bound', async () => {
  running = await startHttp({ guard: { ...guard(), cooldownMs: 0 } });
  const ask = async (kid: string): Promise<number> =>
    (await running!.ask('/adm/logger', { token: await issuer.mint({ scope: 'admin' }, { kid }) })).status;
  expect(await ask('k1')).toBe(200);
  await issuer.addKey('k-later');
  expect(await ask('k-later')).toBe(200);
  await running.close();
  running = await startHttp({ guard: guard() });
  expect(await ask('k1')).toBe(200);
  await issuer.addKey('k-unpublished', 'ES256', false);
  const before = issuer.asked.length;
  for (let n = 0; n < 5; n++) expect(await ask('k-unpublished')).toBe(401);
  expect(issuer.asked.length).toBe(before);
});

test('SEC1 the issuer that is away lets nobody in: 503', async () => {
  const gone = await IssuerServer.open();
  const token = await gone.mint({ scope: 'admin' });
  await gone.close();
  running = await startHttp({ guard: { issuer: gone.url, audience: 'signalbox' } });
  expect((await running.ask('/adm/logger', { token })).status).toBe(503);
});

test('tokens of several issuers, and a function that verifies', async () => {
  running = await startHttp({ guard: [guard(), { issuer: other.url, audience: 'signalbox' }] });
  for (const each of [issuer, other])
    expect((await running.ask('/adm/logger', { token: await each.mint({ scope: 'admin' }) })).status).toBe(200);
  await running.close();
  const verify = (token: string) => {
    if (token === 'broken') throw new Error('away');
    return token === 'good' ? { sub: 'x', scope: 'admin' } : token === 'weak' ? { sub: 'x' } : undefined;
  };
  running = await startHttp({ guard: { verify } });
  const statuses = ['good', 'weak', 'bad', 'broken'].map(
    async (token) => (await running!.ask('/adm/logger', { token })).status,
  );
  expect(await Promise.all(statuses)).toEqual([200, 403, 401, 503]);
});

test('SEC2 a guard that proves nothing is no guard', () => {
  const make = (options: object) => () =>
    createGuard({ issuer: 'https://a.test', audience: 'x', ...options }, { serviceId: 'a' });
  expect(make({ algorithms: ['HS256'] })).toThrow('HS256 is not an asymmetric algorithm');
  expect(make({ algorithms: ['none'] })).toThrow('none is not');
  expect(make({ algorithms: [] })).toThrow('name at least one');
  expect(make({ audience: '' })).toThrow('guard.audience');
  expect(make({ audience: [] })).toThrow('guard.audience');
  expect(make({ issuer: '' })).toThrow('guard.issuer');
});

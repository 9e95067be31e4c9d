import { afterEach, expect, test } from '@jest/globals';
import type { LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { composeAccess } from '../../src/access.ts';
import { loadConfig } from '../../src/config.ts';
import type { AuditEntry } from '../../src/domain/audit.ts';
import { MemorySessions } from '../support/memory-sessions.ts';
import { openEdge, openFilledEdge, type Edge } from '../edge/harness.ts';
import { LoginProvider, PUBLIC_URL } from './login-provider.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Opened {
  readonly edge: Edge;
  readonly rows: MemorySessions;
  readonly noted: Omit<AuditEntry, 'at'>[];
}

/** A node as its settings alone make it. */
async function open(issuers: readonly object[], rows = new MemorySessions()): Promise<Opened> {
  const loaded = loadConfig({ OIDC_ISSUERS: JSON.stringify(issuers), PUBLIC_URL });
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  const noted: Opened['noted'] = [];
  const { catalog, app } = await openFilledEdge();
  closing.push(() => app.close());
  const people = composeAccess({
    config: loaded.config,
    rows,
    state: catalog,
    log: pino({ level: 'silent' }),
    audit: { note: (entry) => noted.push(entry) },
  });
  const edge = await openEdge({ access: people.access, plugins: people.plugins, state: catalog, registry: catalog });
  await people.listening('http://127.0.0.1:1');
  closing.push(() => edge.app.close());
  return { edge, rows, noted };
}

async function provider(): Promise<LoginProvider> {
  const opened = await LoginProvider.open();
  closing.push(() => opened.close());
  return opened;
}

/** The cookies that an answer sets. */
const cookiesOf = (response: LightMyRequestResponse): Record<string, string> =>
  Object.fromEntries(
    [response.headers['set-cookie'] ?? []].flat().map((text) => (/^([^=]+)=([^;]*)/.exec(text) ?? []).slice(1, 3)),
  );

const SESSION = '__Host-signalbox';
const SIGN_IN = '__Host-signalbox-login';

async function begin({ edge }: Opened, from: LoginProvider, more = '') {
  const response = await edge.app.inject({ url: `/login?issuer=${encodeURIComponent(from.url)}${more}` });
  return { url: response.headers.location ?? '', cookie: `${SIGN_IN}=${cookiesOf(response)[SIGN_IN]}`, response };
}

const comeBack = ({ edge }: Opened, back: URL, cookie: string) =>
  edge.app.inject({ url: `${back.pathname}${back.search}`, headers: { cookie } });

async function logIn(opened: Opened, from: LoginProvider, name: string, more = '') {
  const { url, cookie } = await begin(opened, from, more);
  const response = await comeBack(opened, await from.signIn(url, name), cookie);
  return { response, session: `${SESSION}=${cookiesOf(response)[SESSION]}` };
}

const whoami = async ({ edge }: Opened, cookie: string) =>
  (await edge.app.inject({ url: '/v1/whoami', headers: { cookie } })).json() as Record<string, unknown>;

test('SEC1 a second provider with other names for everything lets people in by configuration alone', async () => {
  const [house, other] = [await provider(), await provider()];
  const opened = await open([house.settings(), other.settings({ title: 'The <other> one', token: 'access' })]);
  const choices = await opened.edge.app.inject({ url: '/login', headers: { accept: 'text/html' } });
  expect(choices.body).toContain('Log in with Other House');
  expect(choices.body).toContain('Log in with The &#60;other&#62; one');
  expect((await opened.edge.app.inject('/v1/auth')).json()).toMatchObject({
    mode: 'tokens',
    open: false,
    issuers: [{ issuer: house.url, browser: true, scopes: ['openid'] }, { issuer: other.url }],
  });
  expect((await opened.edge.app.inject('/v1/auth')).body).not.toContain('secret');

  const root = await logIn(opened, other, 'root', '&return_to=/v1/regions');
  expect([root.response.statusCode, root.response.headers.location]).toEqual([303, '/v1/regions']);
  expect([root.response.headers['set-cookie']].flat()).toContainEqual(
    expect.stringMatching(/^__Host-signalbox=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/),
  );
  expect(await whoami(opened, root.session)).toMatchObject({
    kind: 'administrator',
    subject: 'root',
    name: 'root@example.com',
    issuer: other.url,
    by: 'session',
  });
  const guest = await logIn(opened, house, 'guest');
  expect(guest.response.headers.location).toBe('/session');
  expect(await whoami(opened, guest.session)).toMatchObject({ kind: 'person', roles: ['reader'], issuer: house.url });
  expect(opened.noted).toMatchObject([
    { category: 'login', action: 'login', subject: 'root', result: 'ok', address: '127.0.0.1' },
    { category: 'login', action: 'login', subject: 'guest', result: 'ok' },
  ]);
  expect(JSON.stringify(opened.noted)).not.toMatch(/eyJ|"refresh|[\w-]{43}/);
});

test('SEC1 a session writes with its token alone, and logs out of the provider as well', async () => {
  const house = await provider();
  const opened = await open([house.settings()]);
  const { session } = await logIn(opened, house, 'root');
  const { csrf } = (await whoami(opened, session)) as { csrf: string };
  const put = async (headers: Record<string, string>) =>
    (
      await opened.edge.app.inject({
        method: 'PUT',
        url: '/v1/regions/jp',
        payload: { title: 'Japan' },
        headers: { cookie: session, ...headers },
      })
    ).statusCode;
  expect(await put({})).toBe(403);
  expect(await put({ 'x-signalbox-csrf': csrf })).toBe(403);
  expect(await put({ origin: PUBLIC_URL })).toBe(403);
  expect(await put({ origin: 'https://evil.test', 'x-signalbox-csrf': csrf })).toBe(403);
  expect(await put({ origin: PUBLIC_URL, 'x-signalbox-csrf': `${csrf}x` })).toBe(403);
  expect(await put({ origin: PUBLIC_URL, 'x-signalbox-csrf': csrf })).toBe(201);
  // With both, Authorization is what counts.
  expect(await put({ authorization: 'Bearer a.b.c', origin: PUBLIC_URL, 'x-signalbox-csrf': csrf })).toBe(401);

  const page = await opened.edge.app.inject({ url: '/session', headers: { cookie: session, accept: 'text/html' } });
  expect(page.body).toContain(`name="csrf" value="${csrf}"`);
  expect(page.headers).toMatchObject({
    'content-security-policy': expect.stringMatching(/default-src 'none'.*form-action 'self'.*frame-ancestors 'none'/),
    'cache-control': 'no-store',
    'referrer-policy': 'same-origin',
  });
  const logOut = (payload: string, more: object = {}) =>
    opened.edge.app.inject({
      method: 'POST',
      url: '/logout',
      payload,
      headers: { cookie: session, origin: PUBLIC_URL, 'content-type': 'application/x-www-form-urlencoded', ...more },
    });
  expect((await logOut('csrf=guess')).statusCode).toBe(403);
  expect((await logOut(`csrf=${csrf}`, { origin: 'https://evil.test' })).statusCode).toBe(403);
  expect(await whoami(opened, session)).toMatchObject({ subject: 'root' });
  const out = await logOut(`csrf=${csrf}`);
  expect([out.statusCode, out.headers['set-cookie']]).toEqual([200, expect.stringContaining('; Max-Age=0')]);
  const url = new URL((out.json() as { url: string }).url);
  expect([url.origin, url.searchParams.get('post_logout_redirect_uri')]).toEqual([house.url, `${PUBLIC_URL}/login`]);
  expect(url.searchParams.get('id_token_hint')).toMatch(/^eyJ/);
  expect(await whoami(opened, session)).toMatchObject({ kind: 'stranger', roles: ['stranger'] });
  expect((await opened.edge.app.inject({ url: '/v1/regions', headers: { cookie: session } })).statusCode).toBe(401);
  // Again, and without a session, it harms nobody.
  expect((await logOut(`csrf=${csrf}`)).statusCode).toBe(200);
  expect((await opened.edge.app.inject({ method: 'POST', url: '/logout' })).statusCode).toBe(200);
});

test('a token that has ended is renewed at the provider, and a session ends when that refuses', async () => {
  const house = await provider();
  const opened = await open([house.settings()]);
  const outdate = (): string[] =>
    [...opened.rows.rows].map(([id, row]) => {
      opened.rows.rows.set(id, { ...row, data: { ...(row.data as object), tokenEndsAt: 0 } });
      return (row.data as { refreshToken: string }).refreshToken;
    });
  const first = await logIn(opened, house, 'root');
  outdate();
  expect(await whoami(opened, first.session)).toMatchObject({
    subject: 'root',
    by: 'session',
    name: 'root@example.com',
  });
  const [renewed] = [...opened.rows.rows.values()];
  expect(renewed?.data).not.toMatchObject({ tokenEndsAt: 0 });

  const second = await logIn(opened, house, 'guest');
  outdate();
  house.away = true;
  expect(await whoami(opened, second.session)).toMatchObject({ type: '/problems/session-unavailable' });
  house.away = false;
  for (const [id, row] of opened.rows.rows) {
    opened.rows.rows.set(id, { ...row, data: { ...(row.data as object), refreshToken: 'withdrawn' } });
  }
  expect(await whoami(opened, second.session)).toMatchObject({ kind: 'stranger' });
});

test('SEC1 a node that starts with other issuers on the same database takes no session of before', async () => {
  const house = await provider();
  const settings = house.settings();
  const before = await open([settings]);
  const { session } = await logIn(before, house, 'root');
  expect(await whoami(await open([settings], before.rows), session)).toMatchObject({ kind: 'administrator' });
  for (const issuers of [[{ ...settings, admins: [] }], [{ ...settings, issuer: 'https://other.example.com' }]])
    expect(await whoami(await open(issuers, before.rows), session)).toMatchObject({ kind: 'stranger', by: 'nothing' });
});

test('SEC1 a sign-in belongs to the browser that began it, and is good once', async () => {
  const house = await provider();
  const opened = await open([house.settings()]);
  const { url, cookie, response } = await begin(opened, house);
  expect(response.headers['set-cookie']).toMatch(/^__Host-signalbox-login=[\w-]{43}; .*Secure; Max-Age=600$/);
  const asked = new URL(url).searchParams;
  expect(asked.get('code_challenge_method')).toBe('S256');
  expect([asked.get('state'), asked.get('nonce'), asked.get('code_challenge')]).toEqual(
    Array(3).fill(expect.stringMatching(/^[\w-]{43}$/)),
  );
  const back = await house.signIn(url, 'root');
  const refused = async (where: URL, shown: string): Promise<void> => {
    const answer = await comeBack(opened, where, shown);
    expect([answer.statusCode, cookiesOf(answer)[SESSION]]).toEqual([403, undefined]);
  };
  // In another browser, which has begun a sign-in of its own.
  await refused(back, '');
  await refused(back, (await begin(opened, house)).cookie);
  const forged = new URL(back);
  forged.searchParams.set('state', 'x');
  await refused(forged, (await begin(opened, house)).cookie);
  const once = await comeBack(opened, back, cookie);
  expect(once.statusCode).toBe(303);
  await refused(back, cookie);
  expect(opened.noted.map(({ result }) => result)).toEqual(['refused', 'refused', 'refused', 'ok', 'refused']);
  expect([...opened.rows.rows.values()].filter(({ kind }) => kind === 'session')).toHaveLength(1);
});

test('SEC1 every login has an id of its own, and ends the session that the browser had', async () => {
  const house = await provider();
  const opened = await open([house.settings()]);
  const first = await logIn(opened, house, 'guest');
  const { url, cookie } = await begin(opened, house);
  const back = await house.signIn(url, 'root');
  const fixed = `${SESSION}=${'a'.repeat(43)}`;
  const second = cookiesOf(await comeBack(opened, back, `${cookie}; ${first.session}`))[SESSION];
  expect(await whoami(opened, `${SESSION}=${second}`)).toMatchObject({ subject: 'root' });
  expect(await whoami(opened, first.session)).toMatchObject({ kind: 'stranger' });
  const third = await begin(opened, house);
  const planted = await comeBack(opened, await house.signIn(third.url, 'root'), `${third.cookie}; ${fixed}`);
  expect(cookiesOf(planted)[SESSION]).not.toBe('a'.repeat(43));
  expect(await whoami(opened, fixed)).toMatchObject({ kind: 'stranger' });
});

test('who somebody is can stand in the ID token, for providers whose access tokens are for themselves', async () => {
  const house = await provider();
  const {
    types: _types,
    claims: _claims,
    ...settings
  } = house.settings({ token: 'id', resource: undefined }) as {
    types: unknown;
    claims: unknown;
  };
  const opened = await open([{ ...settings, readers: '*' }]);
  const { session } = await logIn(opened, house, 'guest');
  expect(await whoami(opened, session)).toMatchObject({ kind: 'person', subject: 'guest', roles: ['reader'] });
});

test('a provider that is away, that refuses, or whose tokens are for others, is said to be so', async () => {
  const house = await provider();
  const opened = await open([house.settings()]);
  house.away = true;
  const away = await begin(opened, house);
  expect([away.response.statusCode, away.response.body]).toEqual([
    503,
    expect.stringContaining('Other House does not answer'),
  ]);
  house.away = false;
  const { url, cookie } = await begin(opened, house);
  const { searchParams } = new URL(url);
  const denied = new URL(`${PUBLIC_URL}/login/callback`);
  for (const [key, value] of Object.entries({
    error: 'access_denied',
    state: searchParams.get('state') ?? '',
    iss: house.url,
  }))
    denied.searchParams.set(key, value);
  const answer = await comeBack(opened, denied, cookie);
  expect([answer.statusCode, answer.body]).toEqual([403, expect.stringContaining('access_denied')]);

  const others = await open([{ ...(house.settings() as object), audience: 'another' }]);
  const { response } = await logIn(others, house, 'root');
  expect([response.statusCode, response.body]).toEqual([403, expect.stringContaining('another audience')]);
});

test('SEC1 an issuer signs in nobody with the token of another', async () => {
  const house = await provider();
  const settings = house.settings();
  const another = { ...settings, issuer: 'https://other.example.com', jwksUri: `${house.url}/jwks`, login: undefined };
  const opened = await open([settings, another]);
  house.accessTokensOf = 'https://other.example.com';
  const { response, session } = await logIn(opened, house, 'root');
  expect([response.statusCode, response.body]).toEqual([403, expect.stringContaining('of another issuer')]);
  expect(await whoami(opened, session)).toMatchObject({ kind: 'stranger' });
  house.accessTokensOf = house.url;
  expect((await logIn(opened, house, 'root')).response.statusCode).toBe(303);
});

test('SEC1 logging out withdraws the refresh token, and does not wait for an issuer that is away', async () => {
  const house = await provider();
  const opened = await open([house.settings()]);
  const logOut = async () => {
    const { session } = await logIn(opened, house, 'root');
    const { csrf } = (await whoami(opened, session)) as { csrf: string };
    const [refreshToken = ''] = Array.from(
      opened.rows.rows.values(),
      ({ data }) => (data as { refreshToken: string }).refreshToken,
    );
    return {
      refreshToken,
      now: () =>
        opened.edge.app.inject({
          method: 'POST',
          url: '/logout',
          headers: { cookie: session, origin: PUBLIC_URL, 'x-signalbox-csrf': csrf },
        }),
    };
  };
  const kept = await logOut();
  expect(await house.takes(kept.refreshToken)).toBe(true);
  expect((await kept.now()).statusCode).toBe(200);
  const withdrawn = await logOut();
  expect((await withdrawn.now()).statusCode).toBe(200);
  expect(await house.takes(withdrawn.refreshToken)).toBe(false);
  const later = await logOut();
  house.away = true;
  expect((await later.now()).json()).toMatchObject({ loggedOut: true });
  house.away = false;
  expect([await house.takes(later.refreshToken), opened.rows.rows.size]).toEqual([true, 0]);
});

test('without a login nobody can log in, and the page says so', async () => {
  const house = await provider();
  const { login: _login, ...settings } = house.settings() as { login: unknown };
  const opened = await open([settings]);
  expect((await opened.edge.app.inject('/login')).body).toContain('Nobody can log in here');
  expect((await begin(opened, house)).response.statusCode).toBe(200);
  expect((await opened.edge.app.inject('/session')).body).toContain('You are not logged in');
});

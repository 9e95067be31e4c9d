import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK, type CryptoKey } from 'jose';
import type { Verified } from '../../src/auth/grant.ts';
import { Tokens, type TokensDeps } from '../../src/auth/tokens.ts';
import { forge, IssuerServer } from './issuer-server.ts';

let issuer: IssuerServer;
let clock: number;
let monotonic: number;
const logged: string[] = [];
beforeEach(async () => {
  issuer = await IssuerServer.open();
  clock = Date.now();
  monotonic = 0;
  logged.length = 0;
});
afterEach(() => issuer.close());

const open = (more: object = {}, deps: Partial<TokensDeps> = {}): Tokens =>
  new Tokens([issuer.issuer(more)], {
    log: { warn: (_, message) => logged.push(message), info: (_, message) => logged.push(message) },
    now: () => monotonic,
    clock: () => clock,
    timeoutMs: 500,
    ...deps,
  });

const why = (verified: Verified): string => (verified.ok ? 'taken' : verified.detail);

const seconds = (): number => Math.floor(clock / 1000);

test('a good token is taken, and its claims are read', async () => {
  const tokens = open({ admins: ['platform'], readers: ['staff'], owners: { 'Team IAM': ['iam', 'idp'] } });
  const claims = { groups: ['staff', 'Team IAM'], scope: 'shop.admin bill.test/admin openid', client_id: 'console' };
  const verified = await tokens.verify(await issuer.mint(claims));
  expect(verified.ok && verified.grant.identity).toEqual({
    subject: 'ada',
    clientId: 'console',
    administrator: false,
    reader: true,
    owns: { apiIds: ['iam', 'idp', 'shop'], services: ['bill.test'], groups: ['staff', 'Team IAM'] },
  });
});

test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('%s is taken', async (alg) => {
  await issuer.addKey('other', alg);
  expect(why(await open().verify(await issuer.mint({}, { kid: 'other' })))).toBe('taken');
});

test.each(['RS384', 'ES384', 'PS512'])('%s is not on the list', async (alg) => {
  await issuer.addKey('other', alg);
  expect(why(await open().verify(await issuer.mint({}, { kid: 'other' })))).toContain('not signed with one of RS256');
});

test.each<[what: string, make: () => string | Promise<string>, detail: string]>([
  ['no JWT', () => 'abc', 'it is not a JWT'],
  ['an expired one', () => issuer.mint({ exp: seconds() - 60 }), 'it has expired'],
  ['one without an end', () => issuer.mint({ exp: undefined }), 'its exp is missing'],
  ['one for later', () => issuer.mint({ nbf: seconds() + 60 }), 'it is not valid yet'],
  ['another audience', () => issuer.mint({ aud: 'shop' }), 'another audience'],
  ['no audience', () => issuer.mint({ aud: undefined }), 'another audience'],
  ['another issuer', () => issuer.mint({ iss: 'https://evil.example' }), 'another issuer'],
  ['no issuer', () => issuer.mint({ iss: undefined }), 'another issuer'],
  ['no subject', () => issuer.mint({ sub: undefined }), 'the token has no sub'],
  ['an ID token', () => issuer.mint({}, { typ: 'JWT' }), 'its typ is not at+jwt'],
  ['no type', () => issuer.mint({}, { typ: null }), 'its typ is not at+jwt'],
  ['a logout token', () => issuer.mint({}, { typ: 'logout+jwt' }), 'its typ is not at+jwt'],
  ['an unknown kid', () => issuer.mint({}, { header: { kid: 'k9' } }), 'its issuer has no such key'],
  ['no kid', () => issuer.mint({}, { header: { kid: undefined } }), 'which key signed it'],
  [
    'a changed claim',
    async () => (await issuer.mint()).replace(/\.[^.]+\./, `.${claimsOf({ sub: 'eve' })}.`),
    'signature',
  ],
])('SEC1 %s is refused', async (_what, make, detail) => {
  const verified = await open().verify(await make());
  expect(why(verified)).toContain(detail);
  expect(verified.ok).toBe(false);
});

const claimsOf = (more: object): string =>
  Buffer.from(JSON.stringify({ iss: issuer.url, aud: 'signalbox', exp: seconds() + 300, ...more })).toString(
    'base64url',
  );

test.each(['at_hash', 'c_hash'])('SEC1 a token with %s is an ID token, whatever its type', async (claim) => {
  const tokens = open({ types: ['at+jwt', 'JWT'] });
  for (const typ of ['at+jwt', 'JWT', null])
    expect(why(await tokens.verify(await issuer.mint({ [claim]: 'x' }, { typ })))).toContain('it is an ID token');
});

test.each(['anonymous', 'development', 'signalbox', 'registration-token:0', 'cert:cn:orders'])(
  "SEC1 a token whose subject is %s, which is Signalbox's to give, is refused",
  async (sub) => {
    expect(why(await open().verify(await issuer.mint({ sub })))).toMatch(/^its sub /);
    const named = open({ claims: { subject: '/who/name' } });
    expect(why(await named.verify(await issuer.mint({ who: { name: sub } })))).toMatch(/^its \/who\/name /);
    expect(why(await open().verify(await issuer.mint({ sub: `the ${sub}` })))).toBe('taken');
  },
);

test('SEC1 an unsigned token, and one signed with the public key as a secret, are refused', async () => {
  await issuer.addKey('rsa', 'RS256');
  const claims = { iss: issuer.url, aud: 'signalbox', sub: 'eve', scope: 'admin', exp: seconds() + 300 };
  const pem = await exportSPKI((await importJWK(issuer.jwk('rsa'), 'RS256', { extractable: true })) as CryptoKey);
  const secrets = [pem, pem.trim(), JSON.stringify(issuer.jwk('rsa'))];
  const tokens = open();
  for (const alg of ['none', 'None', 'nOnE', '']) {
    expect(why(await tokens.verify(forge(claims, { alg, kid: 'rsa', typ: 'at+jwt' })))).toContain('not signed with');
  }
  for (const secret of secrets) {
    const sign = (input: string): string => createHmac('sha256', secret).update(input).digest('base64url');
    const token = forge(claims, { alg: 'HS256', kid: 'rsa', typ: 'at+jwt' }, sign);
    expect(why(await tokens.verify(token))).toContain('not signed with');
    // Whoever says RS256 and means HMAC comes no further.
    expect(why(await tokens.verify(forge(claims, { alg: 'RS256', kid: 'rsa', typ: 'at+jwt' }, sign)))).toContain(
      'signature',
    );
  }
});

test('SEC1 a key that the token brings along, and a secret among the published keys, count for nothing', async () => {
  await issuer.addKey('mine', 'ES256', false);
  const tokens = open();
  const own = await issuer.mint({}, { kid: 'mine', header: { kid: 'k1', jwk: issuer.jwk('mine') } });
  expect(why(await tokens.verify(own))).toContain('signature');
  issuer.documents['/jwks'] = JSON.stringify({ keys: [{ kty: 'oct', kid: 's', alg: 'ES256', k: 'c2VjcmV0' }] });
  await tokens.refresh();
  expect(why(await tokens.verify(await issuer.mint({}, { header: { kid: 's' } })))).toContain('no such key');
});

test('a key is only good for the algorithm and the use that it is published with', async () => {
  await issuer.addKey('rsa', 'RS256');
  issuer.documents['/jwks'] = JSON.stringify({ keys: [{ ...issuer.jwk('k1'), use: 'enc' }, issuer.jwk('rsa')] });
  const tokens = open();
  expect(why(await tokens.verify(await issuer.mint()))).toContain('no such key');
  expect(why(await tokens.verify(forge({ iss: issuer.url }, { alg: 'PS256', kid: 'rsa', typ: 'at+jwt' })))).toContain(
    'no such key',
  );
});

test('clocks may be ten seconds apart, and no more', async () => {
  const tokens = open();
  expect(why(await tokens.verify(await issuer.mint({ exp: seconds() - 8, sub: 'a' })))).toBe('taken');
  expect(why(await tokens.verify(await issuer.mint({ nbf: seconds() + 8, sub: 'b' })))).toBe('taken');
  expect(why(await tokens.verify(await issuer.mint({ exp: seconds() - 12, sub: 'c' })))).toBe('it has expired');
});

test('a setting takes tokens of issuers that know no at+jwt', async () => {
  const tokens = open({ types: ['at+jwt', 'JWT'] });
  for (const typ of ['JWT', 'jwt', 'application/jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', null]) {
    expect([typ, why(await tokens.verify(await issuer.mint({ sub: String(typ) }, { typ })))]).toEqual([typ, 'taken']);
  }
  expect(why(await tokens.verify(await issuer.mint({}, { typ: 'secevent+jwt' })))).toContain('typ');
});

test('a token that was seen is answered at once until it expires, and few are remembered', async () => {
  const tokens = open({}, { maxRemembered: 2 });
  const [a, b, c] = [await issuer.mint({ sub: 'a' }), await issuer.mint({ sub: 'b' }), await issuer.mint({ sub: 'c' })];
  await tokens.verify(a);
  const again = tokens.verify(a);
  expect(again).not.toBeInstanceOf(Promise);
  await tokens.verify(b);
  void tokens.verify(a);
  await tokens.verify(c);
  await tokens.verify(await issuer.mint({ sub: 'd' }));
  // b was used longest ago.
  expect(tokens.verify(a)).not.toBeInstanceOf(Promise);
  expect(tokens.verify(b)).toBeInstanceOf(Promise);
  clock += 311_000;
  expect(why(await tokens.verify(c))).toBe('it has expired');
});

test('SEC1 a token in constant use ends as any other: when it expires, and with its key', async () => {
  const tokens = open();
  await issuer.addKey('k2');
  const [short, long] = [await issuer.mint(), await issuer.mint({}, { kid: 'k2', expiresIn: 3000 })];
  for (const token of [short, long, short, long, short, long]) expect(why(await tokens.verify(token))).toBe('taken');
  clock += 311_000;
  expect(why(await tokens.verify(short))).toBe('it has expired');
  expect(why(await tokens.verify(long))).toBe('taken');
  issuer.published = ['k1'];
  await tokens.refresh();
  expect(why(await tokens.verify(long))).toContain('no such key');
});

test('keys are read once for many, and a new one is found without a restart', async () => {
  const tokens = open();
  const token = await issuer.mint();
  await Promise.all(Array.from({ length: 20 }, async () => expect(why(await tokens.verify(token))).toBe('taken')));
  expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
  await issuer.addKey('k2');
  const next = await issuer.mint({}, { kid: 'k2' });
  // Who invents kids does not make Signalbox ask the issuer each time.
  expect(why(await tokens.verify(next))).toContain('no such key');
  expect(issuer.asked).toHaveLength(2);
  monotonic += 30_000;
  expect(why(await tokens.verify(next))).toBe('taken');
  expect(issuer.asked).toHaveLength(4);
  expect(why(await tokens.verify(token))).toBe('taken');
});

test('a withdrawn key ends its tokens, remembered ones and those on open sockets too', async () => {
  const tokens = open();
  await issuer.addKey('k2');
  const old = await tokens.verify(await issuer.mint());
  const token = await issuer.mint({}, { kid: 'k2' });
  await tokens.verify(token);
  issuer.published = ['k2'];
  await tokens.refresh();
  expect(old.ok && old.grant.holds(clock)).toBe(false);
  expect(why(await tokens.verify(await issuer.mint()))).toContain('no such key');
  expect(why(await tokens.verify(token))).toBe('taken');
  // Another key under the same name is another key.
  await issuer.addKey('k2');
  issuer.published = ['k2'];
  await tokens.refresh();
  expect(why(await tokens.verify(token))).toContain('signature');
});

test('while the issuer is away known keys stay good, and of others nothing is said', async () => {
  const tokens = open();
  await tokens.verify(await issuer.mint());
  await issuer.addKey('k2');
  issuer.away = true;
  monotonic += 60_000;
  await tokens.refresh();
  await tokens.refresh();
  expect(logged).toEqual([expect.stringContaining('cannot be read')]);
  expect(why(await tokens.verify(await issuer.mint({ sub: 'new' })))).toBe('taken');
  expect(await tokens.verify(await issuer.mint({}, { kid: 'k2' }))).toMatchObject({ ok: false, away: true });
  issuer.away = false;
  monotonic += 1000;
  expect(why(await tokens.verify(await issuer.mint({}, { kid: 'k2' })))).toBe('taken');
  expect(logged.at(-1)).toContain('can be read again');
});

test.each<[what: string, document: object | string, path: string]>([
  [
    'a discovery document of another issuer',
    { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/k' },
    '/.well-known/openid-configuration',
  ],
  ['keys in the clear', { issuer: 'self', jwks_uri: 'http://10.0.0.1/jwks' }, '/.well-known/openid-configuration'],
  ['no JSON', '<html>', '/jwks'],
  ['no keys', {}, '/jwks'],
  ['too much', { keys: ['x'.repeat(1_100_000)] }, '/jwks'],
])('%s: no key is taken from there', async (_what, document, path) => {
  const text =
    typeof document === 'string' ? document : JSON.stringify(document).replace('"self"', JSON.stringify(issuer.url));
  issuer.documents[path] = text;
  expect(await open().verify(await issuer.mint())).toMatchObject({ ok: false, away: true });
  expect(logged).toHaveLength(1);
});

test('groups that are left out are refused with what to do, where groups matter', async () => {
  const overages = [
    { hasgroups: true },
    { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'x' } } },
  ];
  for (const claims of overages) {
    expect(why(await open({ admins: ['a'] }).verify(await issuer.mint(claims)))).toContain('groups overage');
    expect(why(await open({ readers: '*' }).verify(await issuer.mint(claims)))).toBe('taken');
  }
  const nested = open({ admins: ['a'], claims: { groups: '/realm/groups' } });
  expect(why(await nested.verify(await issuer.mint({ _claim_names: { realm: 'src1' } })))).toContain('groups overage');
});

test('a name of a group is taken whole, and a prototype is no claim', async () => {
  const tokens = open({ admins: ['platform'], claims: { groups: ['groups', '/constructor/name', 'toString'] } });
  const verified = await tokens.verify(await issuer.mint({ groups: 'fans of platform', scope: ['openid admin.x'] }));
  expect(verified.ok && verified.grant.identity).toMatchObject({
    administrator: false,
    owns: { apiIds: [], services: [] },
  });
});

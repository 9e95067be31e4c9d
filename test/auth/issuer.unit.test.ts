import { expect, test } from '@jest/globals';
import { readIssuers } from '../../src/auth/issuer.ts';

const GOOD = { issuer: 'https://login.example.com', audience: 'signalbox' };
const faultOf = (value: unknown): string => {
  const read = readIssuers(typeof value === 'string' ? value : JSON.stringify(value));
  return read.ok ? '' : read.fault;
};

test('an issuer needs an URL and an audience, and everything else has a default', () => {
  expect(readIssuers(JSON.stringify([GOOD]))).toEqual({
    ok: true,
    issuers: [
      {
        issuer: 'https://login.example.com',
        audience: ['signalbox'],
        types: ['at+jwt'],
        claims: { subject: 'sub', clientId: ['client_id', 'azp'], groups: ['groups'], scopes: ['scope', 'scp'] },
        admins: [],
        readers: [],
        monitors: [],
        owners: {},
      },
    ],
  });
});

test.each<[value: unknown, fault: string]>([
  ['[', 'it is not JSON'],
  [[], 'at least one issuer'],
  [GOOD, 'it must be a list'],
  [[GOOD, GOOD], 'https://login.example.com stands there twice'],
  [[{ issuer: GOOD.issuer }], '/0/audience must be a text or a list of texts'],
  [[{ ...GOOD, audience: [] }], '/0/audience must be'],
  [[{ ...GOOD, issuer: 'http://login.example.com' }], '/0/issuer must be a URL that begins with https://'],
  [[{ ...GOOD, issuer: 'http://localhost.example.com' }], '/0/issuer must be'],
  [[{ ...GOOD, issuer: 'https://me:x@login.example.com' }], '/0/issuer must be'],
  [[{ ...GOOD, jwksUri: 'file:///etc/keys' }], '/0/jwksUri must be'],
  [
    [{ ...GOOD, types: ['JWT'], login: { clientId: 'signalbox' } }],
    '/0/audience must not have signalbox in it, a client of /0/login, as long as /0/types has "JWT"',
  ],
  [
    [{ ...GOOD, audience: ['a', 'cli'], types: ['at+jwt', 'jwt'], login: { clientId: 'w', cliClientId: 'cli' } }],
    '/0/audience must not have cli in it',
  ],
  [[{ ...GOOD, types: ['JWT'], login: { clientId: 'signalbox', token: 'id' } }], '/0/audience must not have signalbox'],
  [[{ ...GOOD, types: ['none'] }], '/0/types must have no others'],
  [[{ ...GOOD, admin: ['x'] }], '/0/admin is not known; there are issuer, audience'],
  [[{ ...GOOD, admins: 'x' }], '/0/admins must be a list of texts'],
  [[{ ...GOOD, readers: 'everyone' }], '/0/readers must be a list of texts'],
  [[{ ...GOOD, owners: { team: [] } }], '/0/owners/team must be'],
  [[{ ...GOOD, claims: { group: 'x' } }], '/0/claims/group is not known'],
  [[{ ...GOOD, claims: { subject: '' } }], '/0/claims/subject must be'],
  [[{ ...GOOD, login: {} }], '/0/login/clientId must be a text'],
  [[{ ...GOOD, login: { clientId: 'c', secret: 'x' } }], '/0/login/secret is not known; there are clientId'],
  [[{ ...GOOD, login: { clientId: 'c', scopes: ['email'] } }], '/0/login/scopes must have "openid"'],
  [[{ ...GOOD, login: { clientId: 'c', token: 'refresh' } }], '/0/login/token must be "access" or "id"'],
  [[{ ...GOOD, login: { clientId: 'c', clientSecret: 'a', clientSecretFile: 'b' } }], '/0/login must not have both'],
  [
    [{ ...GOOD, login: { clientId: 'c', parameters: { state: 'x' } } }],
    '/0/login/parameters/state is not for settings',
  ],
  [[{ ...GOOD, login: { clientId: 'c', parameters: { audience: 1 } } }], '/0/login/parameters/audience must be a text'],
])('%j is not right: %s', (value, fault) => {
  expect(faultOf(value)).toContain(fault);
});

test.each(['http://localhost:9000', 'http://127.0.0.1:9000/realm', 'http://[::1]:9000'])(
  '%s is this machine',
  (issuer) => {
    expect(faultOf([{ ...GOOD, issuer }])).toBe('');
  },
);

test('SEC1 where ID tokens can be told from access tokens, the audience may be a client', () => {
  expect(faultOf([{ ...GOOD, login: { clientId: 'signalbox' } }])).toBe('');
  expect(faultOf([{ ...GOOD, types: ['JWT'], login: { clientId: 'signalbox-web' } }])).toBe('');
  expect(faultOf([{ ...GOOD, types: ['JWT'] }])).toBe('');
});

test('a login needs a client id, and everything else has a default', () => {
  const read = readIssuers(JSON.stringify([{ ...GOOD, login: { clientId: 'signalbox' } }]));
  expect(read.ok && read.issuers[0]?.login).toEqual({
    clientId: 'signalbox',
    scopes: ['openid'],
    parameters: {},
    token: 'access',
  });
});

test.each([
  '[{"clientSecret":"hush-hush"',
  '[{"clientSecret":"hush-hush}]',
  'hush-hush',
  '[{"clientSecret":hush-hush}]',
])('what is not JSON is not shown: %s', (text) => {
  expect(faultOf(text)).toContain('it is not JSON');
  expect(faultOf(text)).not.toMatch(/hush/);
});

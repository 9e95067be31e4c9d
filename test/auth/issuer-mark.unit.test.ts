import { expect, test } from '@jest/globals';
import { issuerMark } from '../../src/auth/issuer-mark.ts';
import { readIssuers } from '../../src/auth/issuer.ts';

const SETTINGS = {
  issuer: 'https://login.example.com',
  audience: 'signalbox',
  admins: ['platform'],
  owners: { 'team-a': ['a'], 'team-b': ['b'] },
  login: { clientId: 'web', clientSecret: 'one', title: 'The house' },
};

const markOf = (more: object, kind: 'embedded' | 'configured' = 'configured'): string => {
  const read = readIssuers(JSON.stringify([{ ...SETTINGS, ...more }]));
  if (!read.ok || read.issuers[0] === undefined) throw new Error('it cannot be read');
  return issuerMark(read.issuers[0], kind);
};

test.each<object>([
  { issuer: 'https://other.example.com' },
  { audience: 'another' },
  { types: ['at+jwt', 'JWT'] },
  { claims: { groups: 'roles' } },
  { admins: [] },
  { readers: '*' },
  { monitors: ['x'] },
  { owners: {} },
  { projects: ['core'] },
  { login: undefined },
  { login: { ...SETTINGS.login, token: 'id' } },
])('SEC1 with %j an issuer makes others of people, so its mark is another', (more) => {
  expect(markOf(more)).not.toBe(markOf({}));
});

test('SEC1 the embedded provider has a mark of its own', () => {
  expect(markOf({}, 'embedded')).not.toBe(markOf({}));
});

test('a new secret, another title and another order change nothing', () => {
  expect(markOf({ login: { title: 'Another', clientSecret: 'two', clientId: 'web' } })).toBe(markOf({}));
  expect(markOf({ owners: { 'team-b': ['b'], 'team-a': ['a'] } })).toBe(markOf({}));
});

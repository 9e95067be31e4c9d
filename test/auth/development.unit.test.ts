import { expect, test } from '@jest/globals';
import { proxyHeaderIn, resolveDevelopmentCaller, type Connection } from '../../src/auth/development.ts';

const LOCAL: Connection = { remoteAddress: '127.0.0.1', host: 'localhost:4400', origin: undefined };
const answer = (more: Partial<Connection>) => resolveDevelopmentCaller({ ...LOCAL, ...more });

test.each<Partial<Connection>>([
  {},
  { remoteAddress: '::1', host: '[::1]:4400' },
  { remoteAddress: '::ffff:127.0.0.1', host: '127.0.0.1' },
  { remoteAddress: '127.8.9.1', host: 'LOCALHOST' },
  { origin: 'http://localhost:5173' },
  { origin: 'https://127.0.0.1' },
])('SEC1 in development mode %j is the administrator', (more) => {
  expect(answer(more)).toEqual({ ok: true, caller: { kind: 'administrator', subject: 'development' } });
});

test.each<Partial<Connection>>([
  { remoteAddress: '10.0.0.1' },
  { remoteAddress: '::ffff:10.0.0.1' },
  { remoteAddress: undefined },
  { host: undefined },
  { host: '' },
  { host: 'evil.example' },
  { host: 'localhost.evil.example' },
  { host: 'evil.example#localhost' },
  { host: '127.0.0.1.evil.example' },
  { host: 'localhost:4400,evil.example' },
  { host: 'localhost\n' },
  { origin: 'null' },
  { origin: 'https://evil.example' },
  { origin: 'http://localhost.evil.example' },
  { origin: 'http://localhost@evil.example' },
  { origin: 'file://' },
  { origin: '' },
])('SEC1 in development mode %j is refused', (more) => {
  expect(answer(more).ok).toBe(false);
});

test.each([
  'forwarded',
  'via',
  'x-real-ip',
  'x-forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-client-cert',
])('SEC2 in development mode what comes through a proxy is refused: %s', (name) => {
  const proxyHeader = proxyHeaderIn({ host: 'localhost', accept: '*/*', [name]: '' });
  expect(proxyHeader).toBe(name);
  expect(answer({ proxyHeader })).toMatchObject({ ok: false, detail: expect.stringContaining(name) });
});

test('SEC2 what clients send themselves is of no proxy', () => {
  expect(
    proxyHeaderIn({ host: 'localhost', 'x-request-id': '1', 'x-requested-with': 'x', origin: 'x' }),
  ).toBeUndefined();
});

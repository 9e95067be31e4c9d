import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { LOG_SAFETY, withoutTokens } from '../src/log.ts';

test.each([
  ['/v1/regions?access_token=S3CRET&x=1', '/v1/regions?access_token=[redacted]&x=1'],
  ['/v1/regions?x=1&%61ccess%5F%74oken=S3CRET#y', '/v1/regions?x=1&%61ccess%5F%74oken=[redacted]#y'],
  ['/v1/x?Registration-Token=S3CRET', '/v1/x?Registration-Token=[redacted]'],
  ['/v1/x?tokens[]=S3CRET&client_secret=S3CRET', '/v1/x?tokens[]=[redacted]&client_secret=[redacted]'],
  [
    '/auth/callback?code=S3CRET&state=S3CRET&iss=https://a',
    '/auth/callback?code=[redacted]&state=[redacted]&iss=https://a',
  ],
  ['/v1/x?access_token=S3=CR?ET', '/v1/x?access_token=[redacted]'],
  ['/v1/x?%zz=1&token=%', '/v1/x?%zz=1&token=[redacted]'],
  ['/v1/token?x', '/v1/token?x'],
  ['/v1/audit?result=invalid-token&pageSize=5', '/v1/audit?result=invalid-token&pageSize=5'],
])('SEC5 of the URL %s the log has %s', (url, logged) => {
  expect(withoutTokens(url)).toBe(logged);
});

test('SEC5 no secret is logged, whatever it stands under', () => {
  let text = '';
  const log = pino({ level: 'trace', ...LOG_SAFETY }, { write: (line: string) => void (text += line) });
  const secrets = {
    authorization: 'Bearer S3CRET',
    'proxy-authorization': 'Basic S3CRET',
    cookie: 'session=S3CRET',
    'set-cookie': ['session=S3CRET; HttpOnly'],
    token: 'S3CRET',
    access_token: 'S3CRET',
    refresh_token: 'S3CRET',
    id_token: 'S3CRET',
    client_secret: 'S3CRET',
  };
  log.info({ ...secrets, kept: 1 }, 'x');
  log.info({ headers: secrets, kept: 2 }, 'x');
  log.info({ request: { headers: secrets }, kept: 3 }, 'x');
  log.error({ err: Object.assign(new Error('x'), { request: { headers: secrets }, kept: 4 }) }, 'x');
  log.info({ url: '/x?token=S3CRET', kept: 5 }, 'x');
  for (const kept of [1, 2, 3, 4, 5]) expect(text).toContain(`"kept":${kept}`);
  expect(text).toContain('[redacted]');
  expect(text).not.toContain('S3CRET');
});

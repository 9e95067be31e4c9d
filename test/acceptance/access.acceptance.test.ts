import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { IssuerServer } from '../auth/issuer-server.ts';
import { call, startSignalbox, type Signalbox } from '../support/signalbox.ts';
import { embeddedHome, type Home } from './homes.ts';

let home: Home;
let issuer: IssuerServer;
let node: Signalbox;

beforeAll(async () => {
  home = await embeddedHome();
  issuer = await IssuerServer.open();
  const OIDC_ISSUERS = JSON.stringify([issuer.settings({ admins: ['platform'], readers: '*' })]);
  const env = { ...home.env, HOST: '0.0.0.0', LOG_LEVEL: 'trace', JWKS_REFRESH: '1s', OIDC_ISSUERS };
  node = await startSignalbox({ env });
}, 180_000);
afterAll(async () => {
  await node.stop();
  await issuer.close();
  await home.drop();
});

const as = async (method: string, path: string, token: string | undefined, body?: unknown): Promise<number> => {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (await call(node.url, method, path, body, headers)).status;
};

test('SEC1 SEC2 a node with an issuer serves any address, and nobody without a token', async () => {
  const root = await issuer.mint({ groups: ['platform'], sub: 'root' });
  const reader = await issuer.mint({ sub: 'rita' });
  const region = { title: 'United States' };
  expect(await as('GET', '/livez', undefined)).toBe(200);
  for (const token of [undefined, 'a.b.c']) expect(await as('PUT', '/v1/regions/us', token, region)).toBe(401);
  expect(await as('PUT', '/v1/regions/us', reader, region)).toBe(403);
  expect(await as('PUT', '/v1/regions/us', root, region)).toBe(201);
  expect(await as('GET', '/v1/regions/us', reader)).toBe(200);
  expect(await as('GET', '/v1/regions', undefined)).toBe(401);

  // A withdrawn key is noticed by itself.
  await issuer.addKey('k2');
  issuer.published = ['k2'];
  for (let i = 0; i < 100 && (await as('GET', '/v1/regions', root)) === 200; i++) await sleep(100);
  expect(await as('GET', '/v1/regions', root)).toBe(401);

  expect(node.output()).toContain('"mode":"tokens"');
  expect(node.output()).toContain('tokens arrive here unencrypted');
  expect(node.output()).not.toMatch(/eyJhbGci/);
});

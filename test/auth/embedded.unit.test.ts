import { afterEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { composeAccess, type Composed } from '../../src/access.ts';
import { secretsIn, SECRETS_FILE } from '../../src/auth/embedded/secrets.ts';
import { loadConfig } from '../../src/config.ts';
import { MemorySessions } from '../support/memory-sessions.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { openFilledEdge, type Edge } from '../edge/harness.ts';

const directory = temporaryDirectory();
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  directory.remove();
});

test('SEC2 secrets are made once for a directory, for their owner alone, and no two directories have the same', async () => {
  const file = join(directory.path, 'a', SECRETS_FILE);
  const first = await secretsIn(join(directory.path, 'a'), randomBytes);
  expect(await secretsIn(join(directory.path, 'a'), randomBytes)).toEqual(first);
  expect([statSync(file).mode & 0o777, statSync(join(directory.path, 'a')).mode & 0o777]).toEqual([0o600, 0o700]);
  const second = await secretsIn(join(directory.path, 'b'), randomBytes);
  const texts = (value: object): string[] => JSON.stringify(value).match(/[\w-]{12,}/g) ?? [];
  const names = Object.keys(first.accounts);
  expect(texts(second).filter((text) => !names.includes(text) && texts(first).includes(text))).toEqual([]);

  for (const damaged of ['', '{}', readFileSync(file, 'utf8').replace(first.password, 'x')]) {
    writeFileSync(file, damaged);
    await expect(secretsIn(join(directory.path, 'a'), randomBytes)).rejects.toThrow(/move it away/);
  }
});

/** A node in development mode, on a real port. */
async function open(env: Record<string, string> = {}): Promise<{ edge: Edge; people: Composed; url: string }> {
  const loaded = loadConfig({ DATA_DIR: directory.path, ...env });
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  const log = pino({ level: 'silent' });
  let edge: Edge | undefined;
  const state = {
    ready: true,
    get view() {
      if (edge === undefined) throw new Error('not yet');
      return edge.catalog.view;
    },
  };
  const people = composeAccess({ config: loaded.config, rows: new MemorySessions(), state, log });
  edge = await openFilledEdge({ access: { ...people.access, mustLogIn: false }, plugins: people.plugins });
  const url = await edge.app.listen({ host: '127.0.0.1', port: 0 });
  await people.listening(url);
  const { app } = edge;
  closing.push(() => app.close());
  return { edge, people, url };
}

const secrets = (): { accounts: Record<string, string>; password: string } =>
  JSON.parse(readFileSync(join(directory.path, SECRETS_FILE), 'utf8'));

const tokenOf = async (url: string, id: string, secret = secrets().accounts[id]): Promise<string | undefined> => {
  const headers = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
  const body = new URLSearchParams({ grant_type: 'client_credentials' });
  const response = await fetch(`${url}/oidc/token`, { method: 'POST', headers, body });
  return ((await response.json()) as { access_token?: string }).access_token;
};

const send = async (url: string, token: string | undefined, method: string, path: string, body?: object) => {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

test('SEC1 a seeded service account is somebody once the catalog has it, and whoever brings nothing is the administrator', async () => {
  const { url } = await open();
  const token = await tokenOf(url, 'orders-deployer');
  expect((await send(url, token, 'GET', '/v1/regions')).status).toBe(403);
  expect((await send(url, undefined, 'GET', '/v1/whoami')).body).toMatchObject({
    kind: 'administrator',
    by: 'nothing',
  });
  await send(url, undefined, 'PUT', '/v1/projects/core/service-accounts/orders', { clientId: 'orders-deployer' });
  expect((await send(url, token, 'GET', '/v1/whoami')).body).toMatchObject({ kind: 'serviceAccount', project: 'core' });
  expect((await send(url, token, 'PUT', '/v1/services/shop.test/versions/v9', { imports: [] })).status).toBe(201);
  expect((await send(url, token, 'PUT', '/v1/regions/jp', { title: 'Japan' })).status).toBe(403);
  expect(await tokenOf(url, 'orders-deployer', 'x')).toBeUndefined();
  expect(await tokenOf(url, 'orders-deployer', secrets().accounts['payments-deployer'])).toBeUndefined();
});

test('SEC2 the provider is for this machine alone', async () => {
  const { edge } = await open();
  const url = '/oidc/.well-known/openid-configuration';
  const ask = async (more: object) => (await edge.app.inject({ url, ...more })).statusCode;
  expect(await ask({ remoteAddress: '10.0.0.7' })).toBe(403);
  expect(await ask({ headers: { host: 'evil.test' } })).toBe(403);
  expect(await ask({ headers: { host: 'localhost', origin: 'https://evil.test' } })).toBe(403);
});

test('SEC2 keys outlive a restart, and what says how to log in names the password only where one is asked for', async () => {
  const first = await open();
  const token = await tokenOf(first.url, 'orders-deployer');
  const keys = async (url: string) => (await fetch(`${url}/oidc/jwks`)).json();
  const before = await keys(first.url);
  expect(first.people.hints().join('\n')).not.toContain(secrets().password);
  const second = await open({ DEVELOPMENT_ACCESS: 'login' });
  expect(await keys(second.url)).toEqual(before);
  expect(second.people.hints().join('\n')).toContain(secrets().password);
  expect(second.people.access.mustLogIn).toBe(true);
  // Another port is another issuer.
  expect((await send(second.url, token, 'GET', '/v1/whoami')).status).toBe(401);
});

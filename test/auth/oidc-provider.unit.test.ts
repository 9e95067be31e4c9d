import { afterEach, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { readIssuers } from '../../src/auth/issuer.ts';
import { Tokens } from '../../src/auth/tokens.ts';
import { openEdge, openFilledEdge, type Edge } from '../edge/harness.ts';

/** What is used of oidc-provider, which brings no types. */
interface ProviderClass {
  new (
    issuer: string,
    configuration: object,
  ): { callback(): (request: IncomingMessage, response: ServerResponse) => void };
}

const AUDIENCE = 'urn:signalbox';
const SECRET = 'a-secret-of-this-test-alone';
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** An independent OpenID provider on a real socket, with clients that use client credentials. */
class OidcProvider {
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));
  #answer: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  readonly #more: object;
  url = '';

  constructor(more: object) {
    this.#more = more;
  }

  static async open(more: object = {}): Promise<OidcProvider> {
    const provider = new OidcProvider(more);
    provider.#server.listen(0, '127.0.0.1');
    await once(provider.#server, 'listening');
    provider.url = `http://127.0.0.1:${(provider.#server.address() as AddressInfo).port}`;
    closing.push(() => {
      provider.#server.closeAllConnections();
      provider.#server.close();
    });
    await provider.use([await provider.key('first')]);
    return provider;
  }

  async key(kid: string): Promise<JWK> {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    return { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' };
  }

  /** Signs with the first of these keys from now on, and publishes all of them. */
  async use(keys: readonly JWK[]): Promise<void> {
    // It tells on the console that Node 20 is old.
    const quiet = ['info', 'warn'] as const;
    const spies = quiet.map((level) => jest.spyOn(console, level).mockImplementation(() => {}));
    const { default: Provider } = (await import('oidc-provider' as string)) as { default: ProviderClass };
    const provider = new Provider(this.url, {
      clients: ['deployer', 'metrics', 'platform'].map((id) => ({
        client_id: id,
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      })),
      jwks: { keys },
      scopes: ['iam.admin', 'admin'],
      ttl: { ClientCredentials: 300 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => AUDIENCE,
          getResourceServerInfo: () => ({
            scope: 'iam.admin admin',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            accessTokenTTL: 300,
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      ...this.#more,
    });
    for (const spy of spies) spy.mockRestore();
    this.#answer = provider.callback();
  }

  async token(client: string, scope?: string): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) }),
    });
    const body = (await response.json()) as { access_token?: string };
    if (body.access_token === undefined) throw new Error(JSON.stringify(body));
    return body.access_token;
  }
}

async function openWith(entries: readonly object[], clock: { now: number }): Promise<{ edge: Edge; tokens: Tokens }> {
  const read = readIssuers(JSON.stringify(entries));
  if (!read.ok) throw new Error(read.fault);
  const log = { warn: () => {}, info: () => {} };
  const tokens = new Tokens(read.issuers, { log, now: () => clock.now, clock: Date.now });
  const filled = await openFilledEdge();
  const edge = await openEdge({ access: { development: false, tokens } });
  edge.catalog.view.fold(filled.catalog.entries.flatMap(({ changes }) => changes));
  edge.catalog.head = filled.catalog.head;
  closing.push(() => Promise.all([filled.app.close(), edge.app.close()]));
  return { edge, tokens };
}

const status = async (edge: Edge, token: string, url: string, payload?: object): Promise<number> => {
  const headers = { authorization: `Bearer ${token}` };
  return (await edge.app.inject({ url, headers, ...(payload && { method: 'PUT', payload }) })).statusCode;
};

test('SEC1 tokens of a real OpenID provider: a service account, a scope, and keys that change without a restart', async () => {
  const provider = await OidcProvider.open();
  const clock = { now: 0 };
  const { edge, tokens } = await openWith([{ issuer: provider.url, audience: AUDIENCE }], clock);
  const deployer = await provider.token('deployer');
  const owner = await provider.token('metrics', 'iam.admin');
  const admin = await provider.token('platform', 'admin');
  const outsider = await provider.token('metrics');
  expect(await status(edge, deployer, '/v1/services')).toBe(200);
  expect(await status(edge, deployer, '/v1/services/shop.test/versions/v5', { imports: [] })).toBe(201);
  expect(await status(edge, deployer, '/v1/regions/jp', { title: 'Japan' })).toBe(403);
  expect(await status(edge, owner, '/v1/services/iam.test/versions/v5', { imports: [] })).toBe(201);
  expect(await status(edge, owner, '/v1/services/shop.test/versions/v6', { imports: [] })).toBe(403);
  expect(await status(edge, admin, '/v1/regions/jp', { title: 'Japan' })).toBe(201);
  expect(await status(edge, outsider, '/v1/services')).toBe(403);

  const second = await provider.key('second');
  await provider.use([second]);
  clock.now += 60_000;
  expect(await status(edge, await provider.token('deployer'), '/v1/services')).toBe(200);
  // The old key was withdrawn, and with it what it has signed.
  await tokens.refresh();
  expect(await status(edge, deployer, '/v1/services')).toBe(401);
});

test('SEC1 a second provider with other names for everything is a matter of configuration', async () => {
  const first = await OidcProvider.open();
  const other = await OidcProvider.open({
    formats: {
      customizers: {
        jwt: (
          _context: unknown,
          token: { clientId: string },
          jwt: { header: Record<string, unknown>; payload: Record<string, unknown> },
        ) => {
          jwt.header = { typ: 'JWT' };
          delete jwt.payload['client_id'];
          jwt.payload['azp'] = token.clientId;
          jwt.payload['sub'] = `service-account-${token.clientId}`;
          jwt.payload['realm_access'] = { roles: token.clientId === 'platform' ? ['Signalbox Admins'] : ['offline'] };
          jwt.payload['https://claims.example/groups'] = token.clientId === 'metrics' ? ['monitoring'] : [];
          return jwt;
        },
      },
    },
  });
  const configured = {
    issuer: other.url,
    audience: [AUDIENCE, 'urn:unused'],
    jwksUri: `${other.url}/jwks`,
    types: ['JWT'],
    claims: { clientId: 'azp', groups: ['/realm_access/roles', 'https://claims.example/groups'] },
    admins: ['Signalbox Admins'],
    monitors: ['monitoring'],
  };
  const { edge } = await openWith([{ issuer: first.url, audience: AUDIENCE }, configured], { now: 0 });
  expect(await status(edge, await other.token('platform'), '/v1/regions/jp', { title: 'Japan' })).toBe(201);
  expect(await status(edge, await other.token('metrics'), '/metrics')).toBe(200);
  expect(await status(edge, await other.token('metrics'), '/v1/regions/kr', { title: 'Korea' })).toBe(403);
  expect(await status(edge, await other.token('deployer'), '/v1/services/shop.test/versions/v5', { imports: [] })).toBe(
    201,
  );
  // The first one goes on beside it, by its own names.
  expect(await status(edge, await first.token('deployer'), '/v1/services')).toBe(200);
  expect(await status(edge, await first.token('platform'), '/v1/services')).toBe(403);
});

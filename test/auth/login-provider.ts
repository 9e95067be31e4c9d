import { jest } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';

const SECRET = 'a-secret-of-this-test-alone';
export const AUDIENCE = 'urn:signalbox';
export const PUBLIC_URL = 'https://signalbox.example.com';

interface Library {
  Provider: new (
    issuer: string,
    configuration: object,
  ) => { callback(): (request: IncomingMessage, response: ServerResponse) => void };
}

/** Groups stand three levels deep, the client under another name, and access tokens do not say that they are some. */
const formats = (issuer: () => string | undefined) => ({
  customizers: {
    jwt: (
      _context: unknown,
      token: { clientId: string; accountId?: string },
      jwt: { header: Record<string, unknown>; payload: Record<string, unknown> },
    ) => {
      jwt.header = { typ: 'JWT' };
      delete jwt.payload['client_id'];
      jwt.payload['azp'] = token.clientId;
      jwt.payload['iss'] = issuer() ?? jwt.payload['iss'];
      jwt.payload['resource_access'] = { signalbox: { roles: token.accountId === 'root' ? ['Admins'] : ['Guests'] } };
      return jwt;
    },
  },
});

/** An OpenID provider of another house, with people: whoever says a name is that. */
export class LoginProvider {
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));
  #answer: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  url = '';
  away = false;
  /** Whose its access tokens say to be; left out, its own. */
  accessTokensOf: string | undefined;

  static async open(): Promise<LoginProvider> {
    const provider = new LoginProvider();
    provider.#server.listen(0, '127.0.0.1');
    await once(provider.#server, 'listening');
    provider.url = `http://127.0.0.1:${(provider.#server.address() as AddressInfo).port}`;
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
    // It tells on the console what a real one would have to change.
    const spies = (['info', 'warn'] as const).map((level) => jest.spyOn(console, level).mockImplementation(() => {}));
    const { Provider } = (await import('oidc-provider' as string)) as Library;
    const answer = new Provider(provider.url, {
      clients: [
        {
          client_id: 'signalbox-web',
          client_secret: SECRET,
          token_endpoint_auth_method: 'client_secret_post',
          grant_types: ['authorization_code', 'refresh_token'],
          redirect_uris: [`${PUBLIC_URL}/login/callback`],
          post_logout_redirect_uris: [`${PUBLIC_URL}/login`],
        },
      ],
      clientAuthMethods: ['client_secret_post', 'none'],
      jwks: { keys: [jwk] },
      cookies: { keys: ['of-this-test'] },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@example.com` }),
      }),
      claims: { openid: ['sub', 'email'] },
      conformIdTokenClaims: false,
      issueRefreshToken: () => true,
      formats: formats(() => provider.accessTokensOf),
      ttl: { AccessToken: 300, Session: 3600, Interaction: 600, Grant: 3600, IdToken: 300, RefreshToken: 3600 },
      features: {
        rpInitiatedLogout: { enabled: true },
        revocation: { enabled: true, allowedPolicy: () => true },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({
            scope: '',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            accessTokenTTL: 300,
          }),
        },
      },
    }).callback();
    provider.#answer = (request, response) => {
      if (provider.away) return void response.writeHead(503).end();
      answer(request, response);
    };
    spies.forEach((spy) => spy.mockRestore());
    return provider;
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((done) => this.#server.close(done));
  }

  /** Its entry in OIDC_ISSUERS. */
  settings(login: object = {}): object {
    return {
      issuer: this.url,
      audience: AUDIENCE,
      types: ['JWT'],
      claims: { groups: '/resource_access/signalbox/roles', clientId: 'azp' },
      admins: ['Admins'],
      readers: ['Guests'],
      login: { clientId: 'signalbox-web', clientSecret: SECRET, title: 'Other House', resource: AUDIENCE, ...login },
    };
  }

  /** Whether it still takes a refresh token; whether or not, it does not after. */
  async takes(refreshToken: string): Promise<boolean> {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: 'signalbox-web',
      client_secret: SECRET,
    });
    return (await fetch(`${this.url}/token`, { method: 'POST', body })).ok;
  }

  /** Signs somebody in, as a browser would that follows `url`; answers where it is sent back to. */
  async signIn(url: string, name: string): Promise<URL> {
    const spies = (['info', 'warn'] as const).map((level) => jest.spyOn(console, level).mockImplementation(() => {}));
    const jar = new Map<string, string>();
    let next: { url: URL; form?: Record<string, string> } = { url: new URL(url) };
    for (let step = 0; step < 20; step++) {
      if (next.url.origin !== this.url) break;
      const response = await fetch(next.url, {
        redirect: 'manual',
        headers: { cookie: [...jar].map((pair) => pair.join('=')).join('; ') },
        ...(next.form && { method: 'POST', body: new URLSearchParams(next.form) }),
      });
      for (const text of response.headers.getSetCookie()) {
        const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
        if (value === '') jar.delete(key);
        else jar.set(key, value);
      }
      const location = response.headers.get('location');
      const text = await response.text();
      if (location !== null) next = { url: new URL(location, next.url) };
      else if (text.includes('value="login"'))
        next = { url: next.url, form: { prompt: 'login', login: name, password: 'x' } };
      else if (text.includes('value="consent"')) next = { url: next.url, form: { prompt: 'consent' } };
      else throw new Error(text);
    }
    spies.forEach((spy) => spy.mockRestore());
    return next.url;
  }
}

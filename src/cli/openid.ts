import type * as OpenId from 'openid-client';
import type { Login } from './credentials.ts';
import { CliError, failure, unreachable } from './errors.ts';
import { printable } from './style.ts';

/** How to log in at an issuer, as the server says (`/v1/auth`). */
export interface Way {
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly resource?: string;
  readonly parameters: Readonly<Record<string, string>>;
}

type Tokens = OpenId.TokenEndpointResponse & OpenId.TokenEndpointResponseHelpers;

const TIMEOUT_S = 15;
/** Issuers that do not say how long a token lives mean it for a while. */
const LIFE_S = 300;

/** An issuer, for the command line: a public client with PKCE. Rejects with errors that a person can act on. */
export class Openid {
  readonly way: Way;
  readonly #library: typeof OpenId;
  readonly #configuration: OpenId.Configuration;

  private constructor(way: Way, library: typeof OpenId, configuration: OpenId.Configuration) {
    this.way = way;
    this.#library = library;
    this.#configuration = configuration;
  }

  static async open(way: Way): Promise<Openid> {
    if (!isSafe(way.issuer)) {
      throw failure('The issuer is not safe', `${printable(way.issuer)} is neither https:// nor on this machine.`);
    }
    // Only who logs in needs it.
    const library = await import('openid-client');
    const configuration = await worded(way.issuer, () =>
      library.discovery(new URL(way.issuer), way.clientId, undefined, library.None(), {
        timeout: TIMEOUT_S,
        execute: way.issuer.startsWith('http:') ? [library.allowInsecureRequests] : [],
      }),
    );
    return new Openid(way, library, configuration);
  }

  get hasDeviceFlow(): boolean {
    return this.#configuration.serverMetadata().device_authorization_endpoint !== undefined;
  }

  /** The authorization code flow: `visit` sends a browser to a URL and answers the one it came back with. */
  async withBrowser(redirectUri: string, visit: (url: string) => Promise<URL>): Promise<Login> {
    const { randomPKCECodeVerifier, calculatePKCECodeChallenge, randomState, randomNonce } = this.#library;
    const verifier = randomPKCECodeVerifier();
    const [expectedState, expectedNonce] = [randomState(), randomNonce()];
    const url = this.#library.buildAuthorizationUrl(this.#configuration, {
      ...this.way.parameters,
      ...this.#wanted,
      redirect_uri: redirectUri,
      state: expectedState,
      nonce: expectedNonce,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const back = await visit(url.href);
    const checks = { expectedState, expectedNonce, pkceCodeVerifier: verifier, idTokenExpected: true };
    return this.#login(() => this.#library.authorizationCodeGrant(this.#configuration, back, checks, this.#resource));
  }

  /** The device flow (RFC 8628): `tell` shows where to go, and the code to enter there. */
  async withDevice(tell: (where: { url: string; whole: string | undefined; code: string }) => void): Promise<Login> {
    const response = await worded(this.way.issuer, () =>
      this.#library.initiateDeviceAuthorization(this.#configuration, { ...this.way.parameters, ...this.#wanted }),
    );
    tell({ url: response.verification_uri, whole: response.verification_uri_complete, code: response.user_code });
    return this.#login(() => this.#library.pollDeviceAuthorizationGrant(this.#configuration, response, this.#resource));
  }

  /** `undefined` when the issuer does not take the refresh token any more. */
  async renew(login: Login): Promise<Login | undefined> {
    const { refreshToken } = login;
    if (refreshToken === undefined) return undefined;
    try {
      const renewed = await this.#login(() =>
        this.#library.refreshTokenGrant(this.#configuration, refreshToken, this.#resource),
      );
      return { ...login, ...renewed, subject: login.subject };
    } catch (error) {
      if (error instanceof CliError && isRefusal(error.cause)) return undefined;
      throw error;
    }
  }

  /** Withdraws what a login has left; an issuer that cannot do so has it end by itself. */
  async revoke({ refreshToken, accessToken }: Login): Promise<void> {
    if (this.#configuration.serverMetadata().revocation_endpoint === undefined) return;
    await worded(this.way.issuer, () =>
      this.#library.tokenRevocation(this.#configuration, refreshToken ?? accessToken),
    );
  }

  get #wanted(): Record<string, string> {
    return { scope: this.way.scopes.join(' '), ...this.#resource };
  }

  get #resource(): Record<string, string> {
    return this.way.resource === undefined ? {} : { resource: this.way.resource };
  }

  async #login(ask: () => Promise<Tokens>): Promise<Login> {
    const tokens = await worded(this.way.issuer, ask);
    const { issuer, clientId, resource } = this.way;
    return {
      issuer,
      clientId,
      ...(resource !== undefined && { resource }),
      subject: tokens.claims()?.sub ?? '',
      accessToken: tokens.access_token,
      expiresAt: Date.now() + (tokens.expires_in ?? LIFE_S) * 1000,
      ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
    };
  }
}

/** Of servers and issuers: what is sent there must not be for others to read. */
export function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return (
    protocol === 'https:' || (protocol === 'http:' && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname))
  );
}

const isRefusal = (error: unknown): boolean => typeof (error as { error?: unknown } | undefined)?.error === 'string';

/** Errors of the library carry tokens; what is passed on is what the issuer says. */
async function worded<T>(issuer: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const {
      error: code,
      error_description: text,
      name,
      message,
      cause,
      code: kind,
    } = error as Readonly<Record<string, unknown>>;
    if (typeof code === 'string') {
      const said = typeof text === 'string' ? `${code}: ${text}` : code;
      const problem = failure('The issuer refused', printable(`${issuer} answered ${said}`));
      throw Object.assign(problem, { cause: { error: code } });
    }
    if (cause instanceof Response && (cause.status >= 500 || cause.status === 429)) {
      throw unreachable(`${printable(issuer)} answers ${cause.status}.`);
    }
    if (name === 'TypeError' || kind === 'OAUTH_TIMEOUT') throw unreachable(`${printable(issuer)} does not answer.`);
    throw failure('The answer of the issuer is not right', printable(`${issuer}: ${String(message)}`));
  }
}

import { readFileSync } from 'node:fs';
import { decodeJwt } from 'jose';
import type * as OpenId from 'openid-client';
import { whyFailed } from './fetch-json.ts';
import type { Verifier } from './grant.ts';
import { identityOf, type Claims, type Identity } from './identity.ts';
import type { Login } from './issuer-login.ts';
import type { Issuer } from './issuer.ts';
import type { SignedIn } from './session-data.ts';
import type { Site } from './site.ts';
import { SKEW_MS } from './tokens.ts';

/** What a sign-in that is under way has to be held against when the browser comes back. */
export interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** `why` is for people, and holds no secret; `away`: the issuer cannot be asked now. */
export type Answer =
  | { readonly ok: true; readonly signedIn: SignedIn }
  | { readonly ok: false; readonly away: boolean; readonly why: string };

export interface ProviderDeps {
  readonly site: Site;
  /** Verifies the issuer's access tokens. */
  readonly tokens: Verifier;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: (bytes: number) => Buffer;
}

const TIMEOUT_S = 10;
/** Whoever logs out does not wait longer for an issuer to withdraw what it gave. */
const REVOKE_MS = 2000;
/** Issuers change what they publish; what they have said is asked for again after this. */
const KEPT_MS = 3_600_000;

/** Signalbox as a client of one issuer: the authorization code flow with PKCE, for browsers (RFC 6749, 7636, 9207, OpenID Connect). */
export class ProviderClient {
  readonly issuer: Issuer;
  readonly login: Login;
  readonly #deps: ProviderDeps;
  #discovered: { readonly configuration: Promise<OpenId.Configuration>; readonly at: number } | undefined;

  /** Throws when the file of the secret cannot be read. */
  constructor(issuer: Issuer, login: Login, deps: ProviderDeps) {
    this.issuer = issuer;
    this.login = login;
    this.#deps = deps;
    secretOf(login);
  }

  /** Where to send the browser, and what to remember meanwhile. Rejects when the issuer cannot be asked. */
  async begin(): Promise<{ readonly url: string; readonly pending: Pending }> {
    const { calculatePKCECodeChallenge, buildAuthorizationUrl } = await library();
    const secret = (): string => this.#deps.random(32).toString('base64url');
    const pending = { state: secret(), nonce: secret(), verifier: secret() };
    const url = buildAuthorizationUrl(await this.#configuration(), {
      ...this.login.parameters,
      ...this.#resource,
      redirect_uri: this.#redirectUri,
      scope: this.login.scopes.join(' '),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, pending };
  }

  /** With what the issuer has sent the browser back with: the query, with its question mark. */
  async finish(query: string, { state, nonce, verifier }: Pending): Promise<Answer> {
    try {
      const { authorizationCodeGrant } = await library();
      const tokens = await authorizationCodeGrant(
        await this.#configuration(),
        new URL(this.#redirectUri + query),
        { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true },
        this.#resource,
      );
      return await this.#read(tokens);
    } catch (error) {
      return failed(error);
    }
  }

  async renew(refreshToken: string): Promise<Answer> {
    try {
      const { refreshTokenGrant } = await library();
      return await this.#read(await refreshTokenGrant(await this.#configuration(), refreshToken, this.#resource));
    } catch (error) {
      return failed(error);
    }
  }

  /** Where to send the browser to log out of the issuer as well; `undefined` where that is not possible. */
  async logoutUrl(idToken: string | undefined): Promise<string | undefined> {
    try {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
      const { buildEndSessionUrl } = await library();
      return buildEndSessionUrl(configuration, {
        post_logout_redirect_uri: `${this.#deps.site.origin}/login`,
        ...(idToken !== undefined && { id_token_hint: idToken }),
      }).href;
    } catch {
      // Being logged out here does not depend on the issuer.
      return undefined;
    }
  }

  /** Has the issuer withdraw a refresh token, where it can and does so in time. Never rejects. */
  async revoke(refreshToken: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, REVOKE_MS)));
    await Promise.race([late, this.#revoke(refreshToken).catch(() => undefined)]);
    clearTimeout(timer);
  }

  async #revoke(refreshToken: string): Promise<void> {
    const configuration = await this.#configuration();
    if (configuration.serverMetadata().revocation_endpoint === undefined) return;
    const { tokenRevocation } = await library();
    await tokenRevocation(configuration, refreshToken, { token_type_hint: 'refresh_token' });
  }

  get #redirectUri(): string {
    return `${this.#deps.site.origin}/login/callback`;
  }

  get #resource(): Record<string, string> {
    return this.login.resource === undefined ? {} : { resource: this.login.resource };
  }

  async #read(tokens: OpenId.TokenEndpointResponse & OpenId.TokenEndpointResponseHelpers): Promise<Answer> {
    const claims = tokens.claims() as Claims | undefined;
    const said = await this.#identity(tokens, claims);
    if ('why' in said) return { ok: false, ...said };
    const name = [claims?.['name'], claims?.['preferred_username'], claims?.['email']].find(
      (text) => typeof text === 'string' && text !== '',
    );
    return {
      ok: true,
      signedIn: {
        ...said,
        ...(name !== undefined && { name: (name as string).slice(0, 200) }),
        ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
        ...(tokens.id_token !== undefined && { idToken: tokens.id_token }),
      },
    };
  }

  async #identity(
    tokens: OpenId.TokenEndpointResponse,
    claims: Claims | undefined,
  ): Promise<{ identity: Identity; tokenEndsAt: number } | { away: boolean; why: string }> {
    if (this.login.token === 'access') {
      const verified = await this.#deps.tokens.verify(tokens.access_token);
      if (verified.ok) {
        // It was verified, for any of the issuers; this one has no say about the people of another.
        const { iss } = decodeJwt(tokens.access_token);
        if (iss !== this.issuer.issuer) return { away: false, why: NOT_ITS_OWN };
        return { identity: verified.grant.identity, tokenEndsAt: verified.grant.expiresAt };
      }
      return { away: verified.away, why: `the access token of the issuer is not taken: ${verified.detail}` };
    }
    if (claims === undefined) return { away: false, why: 'the issuer sent no ID token' };
    const identity = identityOf(claims, this.issuer);
    if (typeof identity === 'string') return { away: false, why: identity };
    const now = this.#deps.clock();
    const seconds = tokens.expires_in ?? Number(claims['exp']) - now / 1000;
    return { identity, tokenEndsAt: now + seconds * 1000 };
  }

  #configuration(): Promise<OpenId.Configuration> {
    const now = this.#deps.clock();
    if (this.#discovered === undefined || now - this.#discovered.at > KEPT_MS) {
      const configuration = this.#discover();
      const discovered = { configuration, at: now };
      this.#discovered = discovered;
      configuration.catch(() => {
        if (this.#discovered === discovered) this.#discovered = undefined;
      });
    }
    return this.#discovered.configuration;
  }

  async #discover(): Promise<OpenId.Configuration> {
    const { discovery, clockTolerance, allowInsecureRequests, enableNonRepudiationChecks, ...auth } = await library();
    const secret = secretOf(this.login);
    const { issuer } = this.issuer;
    return discovery(
      new URL(issuer),
      this.login.clientId,
      { [clockTolerance]: SKEW_MS / 1000 },
      secret === undefined ? auth.None() : withSecret(auth, secret),
      {
        timeout: TIMEOUT_S,
        execute: [
          // Settings let no other than loopback issuers be without TLS.
          ...(issuer.startsWith('http:') ? [allowInsecureRequests] : []),
          ...(this.login.token === 'id' ? [enableNonRepudiationChecks] : []),
        ],
      },
    );
  }
}

const NOT_ITS_OWN = 'the access token that the issuer gave is of another issuer';

/** Loaded when somebody signs in: a node to which all bring tokens has no use for it. */
const library = (): Promise<typeof OpenId> => import('openid-client');

/** As the issuer wants to have it; of those that take both, the one that every server has to know (RFC 6749, section 2.3.1). */
function withSecret(
  { ClientSecretBasic, ClientSecretPost }: Pick<typeof OpenId, 'ClientSecretBasic' | 'ClientSecretPost'>,
  secret: string,
): OpenId.ClientAuth {
  const basic = ClientSecretBasic(secret);
  const post = ClientSecretPost(secret);
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return (methods.includes('client_secret_basic') ? basic : post)(server, client, body, headers);
  };
}

function secretOf({ clientSecret, clientSecretFile }: Login): string | undefined {
  if (clientSecretFile === undefined) return clientSecret;
  const secret = readFileSync(clientSecretFile, 'utf8').trim();
  if (secret === '') throw new Error(`${clientSecretFile}, the clientSecretFile of an issuer, is empty`);
  return secret;
}

/** Errors of the library carry tokens and requests; of all that only what the issuer says is passed on. */
function failed(error: unknown): Answer {
  const { error: code, error_description: text, status } = error as Readonly<Record<string, unknown>>;
  if (typeof code === 'string') {
    const said = typeof text === 'string' ? `${code}: ${text}` : code;
    const away = typeof status === 'number' && status >= 500;
    return { ok: false, away, why: `the issuer answered ${said.slice(0, 300)}` };
  }
  const { name, code: kind, cause } = error as Readonly<Record<string, unknown>>;
  const answered = cause instanceof Response ? cause.status : 0;
  if (answered >= 500 || answered === 429) return { ok: false, away: true, why: `the issuer answered ${answered}` };
  // What the network throws comes as it is.
  if (name === 'TypeError' || kind === 'OAUTH_TIMEOUT') {
    return { ok: false, away: true, why: `the issuer cannot be asked: ${whyFailed(error)}` };
  }
  return { ok: false, away: false, why: `the answer of the issuer is not right: ${(error as Error).message}` };
}

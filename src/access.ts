import { randomBytes } from 'node:crypto';
import type { FastifyPluginCallback } from 'fastify';
import type { Logger } from 'pino';
import { embeddedIssuer, MOUNT } from './auth/embedded/people.ts';
import { SECRETS_FILE, secretsIn, type Secrets } from './auth/embedded/secrets.ts';
import type { Verified, Verifier } from './auth/grant.ts';
import type { Issuer } from './auth/issuer.ts';
import { issuerMark } from './auth/issuer-mark.ts';
import { Logins, renewAt } from './auth/logins.ts';
import { ProviderClient } from './auth/provider-client.ts';
import { SESSION_CACHE_MS, Sessions } from './auth/sessions.ts';
import { Site } from './auth/site.ts';
import { Tokens } from './auth/tokens.ts';
import type { Config } from './config.ts';
import type { AuditTrail } from './domain/audit.ts';
import type { EdgeState } from './edge/deps.ts';
import { loginRoutes } from './edge/http/login.ts';
import { oidcRoutes, type RawHandler } from './edge/http/oidc.ts';
import { whoamiRoutes } from './edge/http/whoami.ts';
import type { Access } from './edge/identify.ts';
import type { SessionRows } from './store/port.ts';

export interface AccessDeps {
  readonly config: Config;
  readonly rows: SessionRows;
  readonly state: Pick<EdgeState, 'ready' | 'view'>;
  readonly log: Logger;
  readonly audit?: AuditTrail;
}

/** Something to do again and again. */
export interface Job {
  readonly pauseMs: number;
  readonly run: () => Promise<void>;
}

/** Who is let in, and how they become known. */
export interface Composed {
  readonly access: Access;
  readonly plugins: readonly FastifyPluginCallback[];
  readonly jobs: readonly Job[];
  /** To be called once the server listens there, and before anybody is told so. */
  listening(origin: string): Promise<void>;
  /** What a person at the terminal has to know to log in; in development mode alone. */
  readonly hints: () => readonly string[];
}

const SWEEP_MS = 60_000;

/** Puts together what decides who a caller is. Issuers are known at once, but for the embedded one, which is where the server is. */
export function composeAccess(deps: AccessDeps): Composed {
  const { config, rows, state, log, audit } = deps;
  const site = new Site(config.publicUrl);
  const verifier = new LateVerifier();
  let clients: readonly ProviderClient[] = [];
  let issuers: readonly Issuer[] = [];
  let marks: ReadonlyMap<string, string> = new Map();
  const use = (tokens: Tokens, of: readonly Issuer[]): void => {
    const client = { site, tokens, clock: Date.now, random: randomBytes };
    verifier.tokens = tokens;
    issuers = of;
    const kind = config.oidcIssuers === undefined ? 'embedded' : 'configured';
    marks = new Map(of.map((issuer) => [issuer.issuer, issuerMark(issuer, kind)]));
    clients = of.flatMap((issuer) =>
      issuer.login === undefined ? [] : new ProviderClient(issuer, issuer.login, client),
    );
  };
  const tokensOf = (of: readonly Issuer[]): Tokens =>
    new Tokens(of, { log, now: () => performance.now(), clock: Date.now });

  const sessions = new Sessions({
    rows,
    renew: renewAt(() => clients),
    markOf: (url) => marks.get(url),
    maxAgeMs: config.sessionMaxAge,
    idleMs: config.sessionIdleTime,
    clock: Date.now,
    random: randomBytes,
    log,
  });
  const logins = new Logins({ clients: () => clients, rows, sessions, clock: Date.now, random: randomBytes });
  const development = config.oidcIssuers === undefined ? composeDevelopment(deps) : undefined;
  if (config.oidcIssuers !== undefined) use(tokensOf(config.oidcIssuers), config.oidcIssuers);

  const open = development !== undefined && config.developmentAccess === 'open';
  const mode = development === undefined ? 'tokens' : 'development';
  return {
    access: {
      development: development !== undefined,
      mustLogIn: !open,
      tokens: verifier,
      sessions: { sessions, site },
    },
    plugins: [
      loginRoutes({ site, logins, sessions, state, open, log, ...(audit && { audit }) }),
      whoamiRoutes({ site, sessions, state, issuers: () => issuers, mode, open }),
      ...(development === undefined ? [] : [development.routes]),
    ],
    jobs: [
      // Those of the embedded provider do not change.
      ...(development === undefined ? [{ pauseMs: config.jwksRefresh, run: () => verifier.refresh() }] : []),
      { pauseMs: SESSION_CACHE_MS, run: () => sessions.refresh() },
      { pauseMs: SWEEP_MS, run: () => sessions.sweep() },
    ],
    listening: async (origin) => {
      site.listens(origin);
      if (development !== undefined) {
        const issuer = await development.open(site.origin);
        return use(tokensOf([issuer]), [issuer]);
      }
      // Without waiting for it: an issuer that is away is no reason not to start.
      void verifier.refresh();
    },
    hints: () => development?.hints(site.origin) ?? [],
  };
}

/** Tokens of issuers that are known a moment after the server listens. */
class LateVerifier implements Verifier {
  tokens: Tokens | undefined;

  verify(token: string): Verified | Promise<Verified> {
    return this.tokens?.verify(token) ?? STARTING;
  }

  async refresh(): Promise<void> {
    await this.tokens?.refresh();
  }
}

const STARTING: Verified = { ok: false, away: true, detail: 'the server is just starting' };

interface Development {
  readonly routes: FastifyPluginCallback;
  /** Where it is, once the server listens. */
  open(origin: string): Promise<Issuer>;
  hints(origin: string): readonly string[];
}

/**
 * The embedded provider. It is loaded when somebody first asks it for something: who has issuers never pays for it, and a
 * start does not wait for it.
 */
function composeDevelopment({ config, log }: AccessDeps): Development {
  const making = secretsIn(config.dataDir, randomBytes);
  // Told to whoever waits for it.
  making.catch(() => {});
  const askPassword = config.developmentAccess === 'login';
  let secrets: Secrets | undefined;
  let loading: Promise<RawHandler> | undefined;
  let at: string | undefined;
  const load = async (origin: string): Promise<RawHandler> => {
    const { EmbeddedProvider } = await import('./auth/embedded/provider.ts');
    return EmbeddedProvider.open({ origin, secrets: await making, askPassword, log });
  };
  return {
    routes: oidcRoutes(() => (at === undefined ? undefined : (loading ??= load(at))), log),
    open: async (origin) => {
      secrets = await making;
      at = origin;
      return embeddedIssuer(origin, secrets.browser);
    },
    hints: (origin) => [
      `Log in    ${origin}/login${askPassword ? `, with the password ${secrets?.password}` : ', as whoever you like'}`,
      `Issuer    ${origin}${MOUNT}; its service accounts have their secrets in ${config.dataDir}/${SECRETS_FILE}`,
    ],
  };
}

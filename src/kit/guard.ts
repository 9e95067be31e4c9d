import { problem } from './admin/answers.ts';
import type { AdminAnswer, AdminRequest } from './admin/request.ts';
import { whyNotDevelopment } from './guard/development.ts';
import { adminScopes, scopesOf, subjectOf, type Claims, type Guarded } from './guard/scopes.ts';
import { Tokens, type IssuerOptions, type Verified } from './guard/tokens.ts';

/**
 * Who is let in to the admin endpoints:
 *
 * - an issuer, or several: bearers of its tokens with one of the scopes `admin`, `{apiId}.admin`, `{apiId}/admin`, `{serviceId}.admin`,
 *   `{serviceId}/admin`.
 * - `verify`: as an issuer, but the token is verified by a function of yours, which answers its claims, or undefined for a bad one.
 *   Where it throws, the answer is 503.
 * - `'development'`: everybody on this machine, as long as the listener is bound to loopback; otherwise nobody.
 *
 * Default: nobody.
 */
export type GuardOptions =
  | IssuerOptions
  | readonly IssuerOptions[]
  | { readonly verify: (token: string) => Claims | undefined | Promise<Claims | undefined> }
  | 'development';

/** `why` is for the log alone: who is refused is told no more than the standard has them told. */
export type Verdict =
  | { readonly type: 'allowed'; readonly subject: string }
  | { readonly type: 'refused'; readonly subject: string; readonly why: string; readonly answer: AdminAnswer };

/** Decides who is let in to the admin endpoints. */
export interface Guard {
  /** What has to be said at the start, loudly; undefined where there is nothing. */
  readonly warning: string | undefined;
  /** Never rejects. It does not look at the path, so what is not there is refused like what is. */
  check(request: Pick<AdminRequest, 'headers' | 'listener'>): Promise<Verdict>;
}

/**
 * The guard that the kit has, for endpoints of your own. Left out, `options` let nobody in.
 * @throws Error where the options make no sense; the message names the option.
 */
export function createGuard(options: GuardOptions | undefined, guarded: Guarded): Guard {
  if (options === undefined) return { warning: undefined, check: async () => UNCONFIGURED };
  if (options === 'development') return development(guarded);
  return bearerGuard(verifierOf(options), guarded);
}

const HOW = `Nobody is let in to the admin endpoints of this service until it is told who may: pass the option guard with an issuer and an audience, or with verify.`;

const UNCONFIGURED: Verdict = {
  type: 'refused',
  subject: 'anonymous',
  why: 'no guard is configured',
  answer: problem(403, HOW),
};

function development({ serviceId }: Guarded): Guard {
  return {
    warning: `${serviceId}: guard is 'development': everybody on this machine may read its configuration, change its log levels and stop it; name an issuer before others can reach it`,
    check: async (request) => {
      const why = whyNotDevelopment(request);
      if (why === undefined) return { type: 'allowed', subject: 'development' };
      return {
        type: 'refused',
        subject: 'anonymous',
        why,
        answer: problem(403, `guard is 'development', and ${why}.`),
      };
    },
  };
}

type Verify = (token: string) => Promise<Verified>;

function verifierOf(options: Exclude<GuardOptions, 'development'>): Verify {
  if ('verify' in options) {
    return async (token) => {
      try {
        const claims = await options.verify(token);
        return claims === undefined ? { type: 'bad', why: 'verify does not take it' } : { type: 'good', claims };
      } catch (error) {
        return { type: 'away', why: `verify failed: ${error instanceof Error ? error.message : String(error)}` };
      }
    };
  }
  const issuers = (Array.isArray(options) ? options : [options]) as readonly IssuerOptions[];
  if (issuers.length === 0) throw new Error('guard: name at least one issuer');
  const all = new Map(issuers.map((each) => [each.issuer, new Tokens(each)]));
  return async (token) => {
    const issuer = all.size === 1 ? issuers[0]?.issuer : issuerIn(token);
    return (await all.get(issuer ?? '')?.verify(token)) ?? { type: 'bad', why: 'it is of another issuer' };
  };
}

/** Which issuer a token says it is of; that is not known to be true yet. */
function issuerIn(token: string): string | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iss?: unknown };
    return typeof claims.iss === 'string' ? claims.iss : undefined;
  } catch {
    return undefined;
  }
}

/** Longer tokens are not looked at. */
const MAX_TOKEN = 16_384;

function bearerGuard(verify: Verify, guarded: Guarded): Guard {
  const scopes = adminScopes(guarded);
  const realm = `Bearer realm="${guarded.serviceId.replaceAll(/[^\w.:/-]/g, '')}"`;
  const refuse = (status: number, challenge: string, detail: string, why: string, subject = 'anonymous'): Verdict => ({
    type: 'refused',
    subject,
    why,
    answer: problem(status, detail, { 'www-authenticate': `${realm}${challenge}` }),
  });
  return {
    warning: undefined,
    async check({ headers }) {
      const [scheme, token, ...rest] = (headers.authorization ?? '').split(' ').filter((part) => part !== '');
      if (token === undefined || scheme?.toLowerCase() !== 'bearer' || rest.length > 0)
        return refuse(401, '', 'Send an access token: Authorization: Bearer TOKEN.', 'no token');
      const verified: Verified =
        token.length > MAX_TOKEN ? { type: 'bad', why: 'it is too long' } : await verify(token);
      if (verified.type === 'away') {
        const answer = problem(503, 'The token cannot be verified now. Try again later.', { 'retry-after': '5' });
        return { type: 'refused', subject: 'anonymous', why: verified.why, answer };
      }
      if (verified.type === 'bad')
        return refuse(401, ', error="invalid_token"', 'The access token is not good.', verified.why);
      const subject = subjectOf(verified.claims);
      const held = scopesOf(verified.claims);
      if (scopes.some((scope) => held.has(scope))) return { type: 'allowed', subject };
      const detail = `The access token has none of the scopes ${scopes.join(', ')}.`;
      return refuse(403, `, error="insufficient_scope", scope="${scopes[0]}"`, detail, 'no admin scope', subject);
    },
  };
}

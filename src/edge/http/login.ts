import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../../auth/caller.ts';
import { csrfToken, isCsrfToken } from '../../auth/csrf.ts';
import { pageHeaders } from '../../auth/html.ts';
import type { Identity } from '../../auth/identity.ts';
import { SIGN_IN_MS, type Logins } from '../../auth/logins.ts';
import { returnTo } from '../../auth/return-to.ts';
import type { Sessions } from '../../auth/sessions.ts';
import type { Site } from '../../auth/site.ts';
import { whoIs } from '../../auth/who-is.ts';
import type { AuditEntry, AuditTrail } from '../../domain/audit.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import { acceptOnly } from '../body.ts';
import type { EdgeState } from '../deps.ts';
import { cookieIn, CSRF_HEADER, sessionIn, setCookie } from '../session-access.ts';
import { faultPage, loggedOutPage, loginPage, sessionPage } from './login-pages.ts';

export interface LoginDeps {
  readonly site: Site;
  readonly logins: Logins;
  readonly sessions: Sessions;
  readonly state: Pick<EdgeState, 'ready' | 'view'>;
  /** In development mode: who has not logged in is the administrator. */
  readonly open: boolean;
  readonly audit?: AuditTrail;
  readonly log: { warn(fields: object, message: string): void };
}

/** Where one is after logging in, unless one was on the way to somewhere. */
const HOME = '/session';
const FORM = 'application/x-www-form-urlencoded';

/** The pages by which people log in and out with a browser. */
export const loginRoutes =
  (deps: LoginDeps): FastifyPluginCallback =>
  (app, _options, done) => {
    // Asking for the head of an answer must not take a sign-in.
    const hidden = { schema: { hide: true }, exposeHeadRoute: false };
    const own = { ...hidden, config: { action: 'session.use', credentials: 'none' } } as const;
    app.get('/login', { ...hidden, config: { action: 'session.use' } }, (request, reply) =>
      login(deps, request, reply),
    );
    app.get('/login/callback', own, (request, reply) => callback(deps, request, reply));
    app.get('/session', { ...hidden, config: { action: 'session.use' } }, (request, reply) =>
      session(deps, request, reply),
    );
    app.register((scope: FastifyInstance, _scoped, scopeDone) => {
      acceptOnly(scope, [FORM]);
      const config = { action: 'session.use', credentials: 'form', accepts: [FORM] } as const;
      scope.post('/logout', { ...hidden, config }, (request, reply) => logout(deps, request, reply));
      scopeDone();
    });
    done();
  };

async function login(deps: LoginDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { site, logins, state, open, log } = deps;
  // The cookie has to be for the host that the issuer sends the browser back to; on this machine that has several names.
  const { host } = new URL(site.origin);
  if (site.isLoopback && request.headers.host !== host) return reply.redirect(site.origin + request.url, 302);
  const query = request.query as Readonly<Record<string, unknown>>;
  const back = returnTo(query['return_to'], HOME);
  const client = logins.of(String(query['issuer']));
  if (client === undefined) {
    clearEnded(deps, request, reply);
    const choices = logins.clients.map(({ issuer, login: { title } }) => ({
      issuer: issuer.issuer,
      title: title ?? issuer.issuer,
    }));
    return show(reply, loginPage(choices, back, whoIs(request.caller, state.view), open));
  }
  try {
    const { url, credential } = await logins.begin(client, back);
    setCookie(reply, site, site.cookies.signIn, credential, SIGN_IN_MS / 1000);
    return reply.header('cache-control', 'no-store').redirect(url, 303);
  } catch (error) {
    if ((error as Error).name === 'StoreUnavailable') throw error;
    log.warn({ err: error, issuer: client.issuer.issuer }, 'the issuer cannot be asked how to log in');
    const detail = `${client.login.title ?? client.issuer.issuer} does not answer, or not as it should.`;
    return show(reply.code(503), faultPage('You cannot log in now', detail));
  }
}

async function callback(deps: LoginDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { site, logins } = deps;
  const question = request.url.indexOf('?');
  const query = question === -1 ? '' : request.url.slice(question);
  const credential = cookieIn(request, () => site.cookies.signIn);
  const finished = await logins.finish(credential, query, sessionIn(request, site));
  setCookie(reply, site, site.cookies.signIn, '');
  if (!finished.ok) {
    note(deps, request, { subject: 'anonymous', action: 'login', result: 'refused', detail: finished.why });
    const status = finished.away ? 503 : 403;
    return show(reply.code(status), faultPage('You are not logged in', `${capital(finished.why)}.`));
  }
  const { data } = finished;
  note(deps, request, {
    ...named(deps, data.identity),
    action: 'login',
    result: 'ok',
    detail: `Signed in at ${data.issuer}.`,
  });
  // A new id at every login: whoever has put a cookie into this browser has nothing of it.
  setCookie(reply, site, site.cookies.session, finished.credential);
  return reply.header('cache-control', 'no-store').redirect(finished.returnTo, 303);
}

async function session(deps: LoginDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { site, sessions, state } = deps;
  const credential = request.knownBy === 'session' ? sessionIn(request, site) : undefined;
  const data = credential === undefined ? undefined : await sessions.read(credential);
  clearEnded(deps, request, reply);
  const csrf = data === undefined || credential === undefined ? undefined : csrfToken(credential);
  return show(reply, sessionPage(whoIs(request.caller, state.view), data, csrf));
}

async function logout(deps: LoginDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { site, sessions, logins } = deps;
  const credential = sessionIn(request, site);
  const { headers, body } = request;
  let url: string | undefined;
  if (credential !== undefined && credential !== '') {
    const form = Buffer.isBuffer(body) ? new URLSearchParams(body.toString()).get('csrf') : undefined;
    if (!isCsrfToken(headers[CSRF_HEADER] ?? form, credential)) throw new Problem('cross-site', NO_TOKEN);
    const data = await sessions.end(credential);
    setCookie(reply, site, site.cookies.session, '');
    if (data !== undefined) {
      note(deps, request, { ...named(deps, data.identity), action: 'logout', result: 'ok' });
      const client = logins.of(data.issuer);
      // The session has ended, whether or not the issuer answers.
      const withdrawn = data.refreshToken === undefined ? undefined : client?.revoke(data.refreshToken);
      url = await client?.logoutUrl(data.idToken);
      await withdrawn;
    }
  }
  if (headers.accept?.includes('text/html') === true) return show(reply, loggedOutPage(url));
  return sendJson(reply.header('cache-control', 'no-store'), JSON.stringify({ loggedOut: true, ...(url && { url }) }));
}

/** A session that has ended goes from the browser where a person sees that it has. */
function clearEnded({ site }: LoginDeps, request: FastifyRequest, reply: FastifyReply): void {
  if (request.headers.authorization !== undefined || request.grant !== undefined) return;
  if (sessionIn(request, site) !== undefined) setCookie(reply, site, site.cookies.session, '');
}

const NO_TOKEN =
  'Logging out needs the csrf of the session, in the form or in X-Signalbox-CSRF: reload the page and try again.';

const show = (reply: FastifyReply, text: string): FastifyReply => reply.headers(pageHeaders()).send(text);

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** As the audit names whoever has just come or gone. */
function named({ state }: LoginDeps, identity: Identity): Pick<AuditEntry, 'subject' | 'account' | 'project'> {
  const { subject } = identity;
  const found = state.ready ? callerOf(identity, state.view) : undefined;
  if (found?.ok !== true) return { subject };
  const { account, project } = whoIs(found.caller, state.view);
  return { subject, ...(account !== undefined && { account }), ...(project !== undefined && { project }) };
}

function note({ audit }: LoginDeps, request: FastifyRequest, entry: Omit<AuditEntry, 'at' | 'category'>): void {
  const address = request.raw.socket.remoteAddress;
  audit?.note({ category: 'login', ...entry, ...(address !== undefined && { address }), requestId: request.id });
}

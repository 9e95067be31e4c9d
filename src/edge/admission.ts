import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import type { Action } from '../auth/actions.ts';
import { belongs, STRANGER } from '../auth/caller.ts';
import { rateClassOf } from '../auth/rate-class.ts';
import { badHeader, Problem } from '../protocol/problem.ts';
import type { EdgeDeps } from './deps.ts';
import { REVISION_HEADER } from './answers.ts';
import { decide, identify } from './identify.ts';
import { beforeLookUp, limitedBy } from './rate-limiting.ts';
import { securityHeaders } from './security-headers.ts';
import { targetOf } from './target-of.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route lets its caller do; a route without one is refused at registration (SEC1). */
    action?: Action;
  }
  interface FastifyRequest {
    /** Monotonic milliseconds. */
    arrivedAt: number;
  }
}

/** Actions that are answered from the view, and so wait for it. */
const READS: ReadonlySet<Action> = new Set([
  'catalog.read',
  'catalog.export',
  'coverage.read',
  'log.read',
  'feed.watch',
  'feed.subscribers',
  'instance.read',
  'audit.read',
]);
const WRITES: ReadonlySet<Action> = new Set([
  'catalog.write',
  'catalog.delete',
  'catalog.apply',
  'instance.register',
  'instance.override',
  'token.manage',
]);

/** So long the loading of a catalog usually takes at most; what a client is told to wait. */
const NOT_READY_RETRY_S = 1;

type Admission = Pick<EdgeDeps, 'state' | 'config' | 'access' | 'limits' | 'tls'>;

/** The route whose requests are admitted. */
interface Route {
  readonly action: Action;
  readonly method: string;
  readonly url: string;
  readonly credentials: 'none' | 'form' | undefined;
}

/**
 * What every request passes before its body is read: who is calling, may they do this, is the catalog loaded, has the view
 * reached the revision that the caller has already seen, is it not too much. One hook made for each route, since it runs for every request.
 */
export function admission({ state, config, access, limits, tls }: Admission, route: Route): onRequestHookHandler {
  const { action, url, credentials } = route;
  const reads = READS.has(action);
  const needsCatalog = reads || WRITES.has(action);
  const target = WRITES.has(action) ? targetOf(url) : undefined;
  const limited = limitedBy(limits, route);
  const before = beforeLookUp(limits, rateClassOf(route));
  const setHeaders = securityHeaders(url, action, tls !== undefined);
  /** Who is a service account is in the catalog too, so all but strangers wait for it. */
  const whyNot = (request: FastifyRequest): Problem | undefined => {
    const waits = needsCatalog && (request.grant !== undefined || request.caller !== STRANGER);
    if (waits && !state.ready) return notReady();
    return decide(request, action, target?.(request.params as Readonly<Record<string, string>>), state.view);
  };
  const answer = (request: FastifyRequest, reply: FastifyReply, done: Done, problem: Problem | undefined): void => {
    if (problem !== undefined) return done(problem);
    if (state.ready && belongs(request.caller, state.view)) reply.header(REVISION_HEADER, state.head.revision);
    if (request.headers['x-request-id'] !== undefined) reply.header('x-request-id', request.id);
    const seen = reads ? request.headers['x-signalbox-min-revision'] : undefined;
    if (seen === undefined) return done();
    void awaitRevision(state, { timeoutMs: config.readWaitMax, header: String(seen), reply, done }, () =>
      whyNot(request),
    );
  };
  return (request, reply, done) => {
    request.arrivedAt = performance.now();
    setHeaders(reply);
    const identified = identify(access, request, credentials, before);
    if (!(identified instanceof Promise))
      return answer(request, reply, done, limited(request, identified ?? whyNot(request)));
    void identified
      .then((problem) => limited(request, problem ?? whyNot(request)))
      .then((problem) => answer(request, reply, done, problem), done);
  };
}

type Done = (error?: Error) => void;

const notReady = (): Problem =>
  new Problem('not-ready', { detail: 'The catalog is still being loaded.', retryAfter: NOT_READY_RETRY_S });

interface Awaiting {
  readonly timeoutMs: number;
  /** What the request asks for. */
  readonly header: string;
  readonly reply: FastifyReply;
  readonly done: Done;
}

/** Calls `done` once the view has reached the revision, or with a problem when it does not in time. */
async function awaitRevision(
  state: EdgeDeps['state'],
  { timeoutMs, header, reply, done }: Awaiting,
  whyNot: () => Problem | undefined,
): Promise<void> {
  const revision = /^[0-9]{1,15}$/.test(header) ? Number(header) : undefined;
  if (revision === undefined) {
    return done(badHeader('X-Signalbox-Min-Revision', 'must be a revision: a whole number'));
  }
  let reached = state.head.revision >= revision;
  try {
    if (!reached) {
      reached = await state.waitFor(revision, timeoutMs);
      // What it waited for may have made the caller somebody else (SEC3).
      const problem = whyNot();
      if (problem !== undefined) return done(problem);
    }
  } catch (error) {
    return done(error as Error);
  }
  const head = state.head.revision;
  reply.header(REVISION_HEADER, head);
  if (reached) return done();
  const detail = `The server is at revision ${head} and did not reach ${revision} within ${timeoutMs} ms.`;
  done(new Problem('revision-not-reached', { detail, retryAfter: 1 }));
}

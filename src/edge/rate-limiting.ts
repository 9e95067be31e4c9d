import type { FastifyRequest } from 'fastify';
import { STRANGER } from '../auth/caller.ts';
import { isPoll, rateClassOf, type RateRoute } from '../auth/rate-class.ts';
import type { RateLimits, TurnedAway } from '../auth/rate-limits.ts';
import type { RateClass } from '../domain/rate.ts';
import type { FrameGate } from '../feed/frame-gate.ts';
import { Problem } from '../protocol/problem.ts';

export type Limits = Pick<RateLimits, 'caller' | 'unknown' | 'spent'>;

/** What a request is answered with: the problem that was found, or that there are too many such requests. */
export type Limited = (request: FastifyRequest, problem: Problem | undefined) => Problem | undefined;

/** Made once for a route; without limits it is nothing. To be asked when it is known who is calling and whether they may. */
export function limitedBy(limits: Limits | undefined, route: RateRoute): Limited {
  if (limits === undefined) return (_request, problem) => problem;
  const rateClass = rateClassOf(route);
  return (request, problem) => limit(limits, classNow(rateClass, route, request), request, problem);
}

/** For what no route takes. */
export const limitedNowhere = (limits: Limits | undefined): Limited =>
  limits === undefined ? (_request, problem) => problem : (request, problem) => limit(limits, 'read', request, problem);

/**
 * What becomes of a request whose credential this node would have to look up first: a problem, or it is `nobody`'s. Where
 * too much is asked without a good one, the database is not asked about more of them; and for health it never is.
 */
export type BeforeLookUp = (request: FastifyRequest) => Problem | 'nobody' | undefined;

/** Made once for a route; without limits everything is looked up. */
export function beforeLookUp(limits: Limits | undefined, rateClass: RateClass | undefined): BeforeLookUp {
  if (limits === undefined) return () => undefined;
  if (rateClass === undefined) return () => 'nobody';
  return ({ raw }) => {
    const turnedAway = limits.spent(raw.socket.remoteAddress);
    return turnedAway && tooMany(turnedAway);
  };
}

function classNow(rateClass: RateClass | undefined, { url }: RateRoute, request: FastifyRequest) {
  return rateClass === 'list' && isPoll(url, request.raw.url ?? '') ? 'resume' : rateClass;
}

/** These say nothing about who is calling. */
const NOT_COUNTED: ReadonlySet<string> = new Set(['not-ready', 'issuer-unavailable']);

function limit(
  limits: Limits,
  rateClass: RateClass | undefined,
  { caller, raw }: FastifyRequest,
  problem: Problem | undefined,
): Problem | undefined {
  if (problem !== undefined && NOT_COUNTED.has(problem.code)) return problem;
  const isKnown = caller !== undefined && caller !== STRANGER;
  if (rateClass === undefined && (isKnown || problem === undefined)) return problem;
  const turnedAway =
    isKnown && rateClass !== undefined ? limits.caller(caller, rateClass) : limits.unknown(raw.socket.remoteAddress);
  return turnedAway === undefined ? problem : tooMany(turnedAway);
}

const tooMany = (turnedAway: TurnedAway): Problem =>
  new Problem('rate-limited', {
    detail: `${whyOf(turnedAway)} Nothing was done.`,
    retryAfter: Math.max(1, Math.ceil(turnedAway.waitMs / 1000)),
  });

function whyOf({ why, rateClass }: TurnedAway): string {
  if (why === 'node') return `The node is too busy for requests of the class ${rateClass} now.`;
  if (rateClass === 'unknown') return 'Too many requests without a credential that is taken come from this address.';
  return `The caller makes more requests of the class ${rateClass} than RATE_LIMIT_${rateClass.toUpperCase()} lets one make.`;
}

/** The same limits for what comes over a socket. */
export const frameGateOf = (limits: Limits): FrameGate => ({
  turnAway({ caller }, rateClass) {
    const turnedAway = limits.caller(caller, rateClass);
    return turnedAway && { message: whyOf(turnedAway), retryAfterMs: Math.max(1, Math.ceil(turnedAway.waitMs)) };
  },
});

/** What is known of a request, for whether it may be done again. */
export interface Repeatable {
  readonly method: string;
  /** What the caller says; undefined for what its method and headers say. */
  readonly idempotent: boolean | undefined;
  readonly hasIdempotencyKey: boolean;
  /** Whether its body can be sent (again): not a stream of which something was read. */
  readonly bodyIsWhole: boolean;
}

/** Why an attempt gave no answer that the caller should have. */
export type Failure =
  /** The instance has nothing of it: no connection, no room to wait for one, or a sidecar that says so. */
  | { readonly type: 'unsent' }
  /** Some of it may have left, and nothing came back. */
  | { readonly type: 'reset' }
  | { readonly type: 'answered'; readonly status: number; readonly retryAfterMs: number | undefined };

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** RFC 9110, 9.2.2; the caller knows better. */
export function isIdempotent({ method, idempotent, hasIdempotencyKey }: Omit<Repeatable, 'bodyIsWhole'>): boolean {
  return idempotent ?? (IDEMPOTENT.has(method) || hasIdempotencyKey);
}

/** Statuses that another instance may not give. */
export const isPassing = (status: number): boolean => status === 502 || status === 503 || status === 504;

/**
 * With a 502, 503 or 504: who answers stands in front of the instance, and the instance has received nothing. A sidecar says so of
 * itself, and passes it on from nobody.
 */
export const UNSENT_HEADER = 'signalbox-unsent';

/** Whether doing it again does no harm. */
export function mayRepeat(request: Repeatable, failure: Failure): boolean {
  if (!request.bodyIsWhole) return false;
  if (failure.type === 'unsent') return true;
  return isIdempotent(request) && (failure.type === 'reset' || isPassing(failure.status));
}

/** Full jitter: a random time up to `BASE_MS`, doubled with each retry (Envoy's figures). */
const BASE_MS = 25;
const MAX_MS = 250;

/**
 * Milliseconds to wait before the next attempt. An instance that says when it is there again (Retry-After) is not asked before;
 * another one need not wait for that.
 */
export function pauseBefore(retry: number, failure: Failure, another: boolean, random: () => number): number {
  const jittered = random() * Math.min(MAX_MS, BASE_MS * 2 ** (retry - 1));
  const asked = failure.type === 'answered' && !another ? (failure.retryAfterMs ?? 0) : 0;
  return Math.max(jittered, asked);
}

/** What a `Retry-After` header says (RFC 9110, 10.2.3), in milliseconds from `now`, which is milliseconds since 1970. */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

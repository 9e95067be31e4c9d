import { oneOf, whole, within } from '../checks.ts';
import { SignalboxError } from '../errors.ts';
import type { BreakerOptions } from './breaker.ts';
import type { BudgetOptions } from './budget.ts';
import type { CallOptions, ConnectionOptions } from './options.ts';

const HTTP2: readonly string[] = ['auto', 'never', 'h2c'];

/** @throws SignalboxError `invalid-options`, which names the option. */
export function checkCallOptions(options: CallOptions): void {
  const { timeoutMs, connectTimeoutMs, bodyTimeoutMs, retries, retryBudget, breaker, connections, http2 } = options;
  if (timeoutMs !== undefined) within('timeoutMs', timeoutMs, 0, Infinity);
  if (connectTimeoutMs !== undefined) within('connectTimeoutMs', connectTimeoutMs, 1, LONGEST_MS);
  if (bodyTimeoutMs !== undefined) within('bodyTimeoutMs', bodyTimeoutMs, 0, LONGEST_MS);
  if (retries !== undefined) whole('retries', retries, 0, 100);
  if (http2 !== undefined) oneOf('http2', http2, HTTP2);
  if (retryBudget !== undefined) checkBudget(retryBudget);
  if (breaker !== undefined && breaker !== false) checkBreaker(breaker);
  if (connections !== undefined) checkConnections(connections);
}

/** What is wrong with the time of one call. */
export function wrongTimeout(timeoutMs: number): SignalboxError | undefined {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return undefined;
  return new SignalboxError('invalid-options', `timeoutMs is ${String(timeoutMs)}: it must be 0 or more.`);
}

/** Node's timers take no longer time. */
const LONGEST_MS = 2 ** 31 - 1;

function checkBudget({ ratio, perSecond, burst }: BudgetOptions): void {
  if (ratio !== undefined) within('retryBudget.ratio', ratio, 0, Infinity);
  if (perSecond !== undefined) within('retryBudget.perSecond', perSecond, 0, Infinity);
  if (burst !== undefined) within('retryBudget.burst', burst, 0, Infinity);
}

function checkBreaker({ windowMs, minCalls, failureRatio, openMs }: BreakerOptions): void {
  if (windowMs !== undefined) within('breaker.windowMs', windowMs, 10, LONGEST_MS);
  if (minCalls !== undefined) within('breaker.minCalls', minCalls, 1, Infinity);
  if (failureRatio !== undefined) within('breaker.failureRatio', failureRatio, 0, 1);
  if (openMs !== undefined) within('breaker.openMs', openMs, 0, Infinity);
}

function checkConnections(options: ConnectionOptions): void {
  const { max, maxWaiting, keepAliveMs, maxRequests, maxAgeMs, jitter, maxStreams } = options;
  if (max !== undefined) within('connections.max', max, 1, Infinity);
  if (maxWaiting !== undefined) within('connections.maxWaiting', maxWaiting, 0, Infinity);
  if (keepAliveMs !== undefined) within('connections.keepAliveMs', keepAliveMs, 1, LONGEST_MS);
  if (maxRequests !== undefined) within('connections.maxRequests', maxRequests, 1, Infinity);
  if (maxAgeMs !== undefined) within('connections.maxAgeMs', maxAgeMs, 1, Infinity);
  if (jitter !== undefined) within('connections.jitter', jitter, 0, 1);
  if (maxStreams !== undefined) whole('connections.maxStreams', maxStreams, 1, 1_000_000);
}

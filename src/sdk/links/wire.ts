import type { Position } from '../../domain/position.ts';
import type { Select } from '../../protocol/frames.ts';
import type { LinkFrame } from '../connection/link.ts';
import { ownProblem } from './http-answer.ts';
import { Refusal, type Problem } from './refusal.ts';

/** What the carriers that speak HTTP need of the world. */
export interface HttpDeps {
  readonly fetch: typeof fetch;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/** After so many heartbeats without a byte nobody is there any more; for longer, no link is behind and says nothing. */
export const SILENT_AFTER = 3;

/** One subscription of a link. */
export interface Subscription {
  readonly id: string;
  readonly select: Select;
  /** The selection as parameters of a URL. */
  readonly query: URLSearchParams;
  readonly topic: string;
  /** Everything up to it was told; undefined where the state has to come first. */
  position: Position | undefined;
  /** Whether `subscribed` was told. */
  isTold: boolean;
  /** So long it was told to wait, in milliseconds, since something came last. */
  waitedMs: number;
}

/** What carries one subscription sees of its link. */
export interface Wire {
  readonly openTimeoutMs: number;
  /** Milliseconds. */
  readonly heartbeat: number;
  /** The history that positions without one of their own belong to. */
  readonly epoch: string;
  /** Throws `Refusal` where the answer is not a success, or what `fetch` throws. */
  request(path: string, init?: RequestInit): Promise<Response>;
  welcome(frame: Extract<LinkFrame, { type: 'welcome' }>): void;
  tell(frame: LinkFrame): void;
  heard(): void;
}

/** A way to carry subscriptions over HTTP. Both run until the signal, and reject where they cannot go on. */
export interface Way {
  follow(subscription: Subscription, wire: Wire, signal: AbortSignal): Promise<void>;
  /** Says welcome, and then shows that the server is there while there is nothing to follow. */
  idle(wire: Wire, signal: AbortSignal): Promise<void>;
}

/** One request. A redirect is an answer like any other: a token is for nobody else. */
export async function request(
  { fetch: send }: Pick<HttpDeps, 'fetch'>,
  url: string,
  token: string | undefined,
  { headers, ...init }: RequestInit = {},
): Promise<Response> {
  const all = new Headers(headers);
  if (token !== undefined) all.set('authorization', `Bearer ${token}`);
  const response = await send(url, { redirect: 'manual', ...init, headers: all });
  if (response.ok) return response;
  throw new Refusal(response.status, await problemOf(response), response.headers.get('retry-after'));
}

async function problemOf(response: Response): Promise<Problem | undefined> {
  if (!/^application\/problem\+json\b/i.test(response.headers.get('content-type') ?? '')) return undefined;
  return ownProblem((await response.json().catch(() => undefined)) as Problem | null | undefined);
}

/** The time was up before there was an answer. */
export class TimeUp extends Error {
  override readonly name = 'TimeUp';
}

/** Runs something that is aborted after a time, which is a `TimeUp` then, or with the signal; and leaves nothing behind at a signal that lives on. */
export async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  let timeUp: TimeUp | undefined;
  const timer = setTimeout(() => {
    timeUp = new TimeUp(`there was no answer within ${ms} ms`);
    controller.abort(timeUp);
  }, ms);
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort);
  try {
    return await run(controller.signal);
  } catch (error) {
    throw timeUp ?? error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** Resolves after the time; at once when the signal ends it. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

import { fetch, Headers } from 'undici';
import { SignalboxError } from '../errors.ts';
import type { CallRequest } from './call.ts';
import type { Calls } from './dispatch.ts';
import type { CallOptions, FetchInit, FetchResponse } from './options.ts';
import { checkPath } from './path.ts';

/** `service.fetch`: WHATWG `fetch`, with the instance, its connection and retries chosen by `calls`. */
export async function fetchFrom(
  calls: Pick<Calls, 'call'>,
  path: string,
  init: FetchInit = {},
  trace?: CallOptions['trace'],
): Promise<FetchResponse> {
  checkPath(path);
  const redirect = checkRedirect(init.redirect);
  const headers = trace === undefined ? init.headers : traced(init.headers, trace());
  return calls.call(new FetchRequest(init), (attempt) =>
    fetch(attempt.endpoint.url + path, {
      ...init,
      redirect,
      dispatcher: attempt,
      ...(headers === undefined ? {} : { headers }),
    }),
  );
}

/** What decides about its attempts. */
class FetchRequest implements CallRequest {
  readonly method: string;
  readonly key: string | undefined;
  readonly idempotent: boolean | undefined;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly #init: FetchInit;

  constructor(init: FetchInit) {
    this.#init = init;
    this.method = init.method === undefined ? 'GET' : init.method.toUpperCase();
    this.key = init.key;
    this.idempotent = init.idempotent;
    this.timeoutMs = init.timeoutMs;
    this.signal = init.signal ?? undefined;
  }

  hasIdempotencyKey(): boolean {
    return new Headers(this.#init.headers).has('idempotency-key');
  }

  /** A stream can be read once, and `fetch` has begun to. */
  bodyIsWhole(): boolean {
    const { body } = this.#init;
    if (typeof body !== 'object' || body === null) return true;
    return !(body instanceof ReadableStream) && !(Symbol.asyncIterator in body);
  }
}

function checkRedirect(redirect: unknown): 'manual' | 'error' {
  if (redirect === undefined || redirect === 'manual') return 'manual';
  if (redirect === 'error') return 'error';
  throw new SignalboxError('invalid-options', 'redirects are not followed: they could lead to another host (redirect)');
}

function traced(own: FetchInit['headers'], trace: Readonly<Record<string, string>>): Headers {
  const headers = new Headers(own);
  for (const [name, value] of Object.entries(trace)) if (!headers.has(name)) headers.set(name, value);
  return headers;
}

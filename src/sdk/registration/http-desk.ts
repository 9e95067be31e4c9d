import { accessToken } from '../access-token.ts';
import type { Answer, Attempt, Desk, Registered, TokenFor } from './desk.ts';
import {
  failureOf,
  isOfSignalbox,
  isSuccess,
  notSignalbox,
  objectIn,
  problemCode,
  type HttpReply,
} from './http-answer.ts';
import { messageOf, rootOf } from './message-of.ts';

export interface HttpDeskOptions {
  /** `http://` or `https://`, without a slash at the end; the next one is asked where one does not answer. */
  readonly urls: readonly string[];
  readonly token: TokenFor;
  readonly fetch?: typeof fetch;
  /** A failed connection in words. */
  readonly explain?: (url: string, error: unknown) => string;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

type Method = 'GET' | 'POST' | 'DELETE';
type Broken = { readonly broken: string };

/** Registrations as HTTP requests. */
export class HttpDesk implements Desk {
  readonly #options: HttpDeskOptions;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  /** The address that answered last: the list may come in another order each time. */
  #at: string | undefined;

  constructor(options: HttpDeskOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? fetch;
    this.#now = options.now ?? (() => performance.now());
  }

  async register(registration: object, attempt: Attempt): Promise<Answer<Registered>> {
    const reply = await this.#ask('POST', '/v1/instances', registration, attempt);
    if ('broken' in reply) return { type: 'away', detail: reply.broken };
    if (!isSuccess(reply)) return failureOf(reply, false);
    const value = objectIn(reply.text);
    return value !== undefined && isRegistered(value) ? { type: 'done', value } : notSignalbox(reply);
  }

  async renew({ id, generation, lease }: Registered, attempt: Attempt): Promise<Answer<void>> {
    const reply = await this.#ask('POST', `/v1/instances/${id}/renew`, { generation }, attempt);
    // Nothing has to be kept for it: any node can say whether it is there, to those who may read.
    const looks = lease === undefined && !('broken' in reply) && keepsNoLeases(reply);
    return answerOf(looks ? await this.#ask('GET', `/v1/instances/${id}`, undefined, attempt) : reply);
  }

  async deregister({ id, generation }: Registered, attempt: Attempt): Promise<Answer<void>> {
    return answerOf(await this.#ask('DELETE', `/v1/instances/${id}?generation=${generation}`, undefined, attempt));
  }

  /** Asks one address after the other, each for its share of the time, until one of them can answer. */
  async #ask(method: Method, path: string, body: object | undefined, attempt: Attempt): Promise<HttpReply | Broken> {
    const urls = this.#inOrder();
    const deadline = this.#now() + attempt.timeoutMs;
    let last: HttpReply | Broken = { broken: 'There is no address of Signalbox.' };
    for (const [asked, url] of urls.entries()) {
      if (attempt.signal.aborted) break;
      const timeoutMs = Math.max(0, deadline - this.#now()) / (urls.length - asked);
      last = await this.#once(method, url, path, body, { timeoutMs, signal: attempt.signal });
      this.#at = url;
      if (!('broken' in last) && last.status < 500 && isOfSignalbox(last)) return last;
    }
    // Each has had its turn: the next attempt begins where this one did.
    this.#at = urls[0];
    return last;
  }

  /** All of them, beginning with the one that answered last. */
  #inOrder(): readonly string[] {
    const { urls } = this.#options;
    const from = Math.max(0, urls.indexOf(this.#at ?? ''));
    return [...urls.slice(from), ...urls.slice(0, from)];
  }

  async #once(
    method: Method,
    url: string,
    path: string,
    body: object | undefined,
    { timeoutMs, signal }: Attempt,
  ): Promise<HttpReply | Broken> {
    // Not `AbortSignal.any`: what it leaves behind at a signal that lives as long as the instance would be more with each renewal.
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      abort();
    }, Math.ceil(timeoutMs));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    const init = { method, body, signal: controller.signal };
    try {
      const token = await this.#tokenFor(url, undefined, init.signal);
      const reply = await this.#send(`${url}${path}`, token, init);
      if (reply.status !== 401 || token === undefined) return reply;
      const another = await this.#tokenFor(url, token, init.signal);
      return another === undefined || another === token ? reply : await this.#send(`${url}${path}`, another, init);
    } catch (error) {
      if (isLate) return { broken: `${url} said nothing for ${Math.ceil(timeoutMs)} ms.` };
      if (signal.aborted) return { broken: 'It was given up.' };
      if (error instanceof NoToken) return { broken: error.message };
      return { broken: (this.#options.explain ?? explain)(url, error) };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  /** Whoever gives tokens may be slower than there is time. */
  async #tokenFor(url: string, refused: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { token } = this.#options;
    const ask = async (): Promise<string | undefined> => {
      const answer = await (refused === undefined ? token(url) : token(url, refused));
      // `fetch` would show one that it cannot send.
      return answer === undefined ? undefined : accessToken(answer, 'What was given for a token');
    };
    const asked = ask().catch((error: unknown) => {
      throw new NoToken(messageOf(error));
    });
    return Promise.race([asked, endOf(signal)]);
  }

  async #send(
    url: string,
    token: string | undefined,
    {
      method,
      body,
      signal,
    }: { readonly method: Method; readonly body: object | undefined; readonly signal: AbortSignal },
  ): Promise<HttpReply> {
    const response = await this.#fetch(url, {
      method,
      signal,
      redirect: 'manual',
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const { status, headers } = response;
    const contentType = headers.get('content-type') ?? '';
    const retryAfter = headers.get('retry-after');
    return { status, contentType, retryAfter, text: await response.text(), request: `${method} ${url}` };
  }
}

class NoToken extends Error {}

const endOf = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new NoToken('No token came in time.')), { once: true });
  });

const keepsNoLeases = (reply: HttpReply): boolean => reply.status === 503 && problemCode(reply) === 'health-checks-off';

function answerOf(reply: HttpReply | Broken): Answer<void> {
  if ('broken' in reply) return { type: 'away', detail: reply.broken };
  if (!isSuccess(reply)) return failureOf(reply, true);
  return isOfSignalbox(reply) ? { type: 'done', value: undefined } : notSignalbox(reply);
}

const isRegistered = (value: object): value is Registered => {
  const { id, generation, detectionBound } = value as Partial<Record<keyof Registered, unknown>>;
  return typeof id === 'string' && typeof generation === 'number' && typeof detectionBound === 'string';
};

const explain = (url: string, error: unknown): string => `${url} cannot be reached (${rootOf(error)}).`;

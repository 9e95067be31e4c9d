import type { Answer, Attempt, Desk, Registered, TokenFor } from './desk.ts';
import { failureOf, notSignalbox, objectIn, problemCode, type HttpReply } from './http-answer.ts';
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
  /** The address that answered last. */
  #at = 0;

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
    const { urls } = this.#options;
    const deadline = this.#now() + attempt.timeoutMs;
    let last: HttpReply | Broken = { broken: 'There is no address of Signalbox.' };
    for (let left = urls.length; left > 0 && !attempt.signal.aborted; left--) {
      const url = urls[this.#at % urls.length] ?? '';
      const timeoutMs = Math.max(0, deadline - this.#now()) / left;
      last = await this.#once(method, url, path, body, { timeoutMs, signal: attempt.signal });
      if (!('broken' in last) && last.status < 500) return last;
      this.#at = (this.#at + 1) % urls.length;
    }
    return last;
  }

  async #once(
    method: Method,
    url: string,
    path: string,
    body: object | undefined,
    { timeoutMs, signal }: Attempt,
  ): Promise<HttpReply | Broken> {
    const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
    const init = { method, body, signal: AbortSignal.any([signal, timeout]) };
    try {
      const token = await this.#tokenFor(url, undefined, init.signal);
      const reply = await this.#send(`${url}${path}`, token, init);
      if (reply.status !== 401 || token === undefined) return reply;
      const another = await this.#tokenFor(url, token, init.signal);
      return another === undefined || another === token ? reply : await this.#send(`${url}${path}`, another, init);
    } catch (error) {
      if (timeout.aborted) return { broken: `${url} said nothing for ${Math.ceil(timeoutMs)} ms.` };
      if (signal.aborted) return { broken: 'It was given up.' };
      if (error instanceof NoToken) return { broken: error.message };
      return { broken: (this.#options.explain ?? explain)(url, error) };
    }
  }

  /** Whoever gives tokens may be slower than there is time. */
  async #tokenFor(url: string, refused: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { token } = this.#options;
    const asked = (async () => (refused === undefined ? token(url) : token(url, refused)))().catch((error: unknown) => {
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

const isSuccess = ({ status }: HttpReply): boolean => status >= 200 && status < 300;

const keepsNoLeases = (reply: HttpReply): boolean => reply.status === 503 && problemCode(reply) === 'health-checks-off';

function answerOf(reply: HttpReply | Broken): Answer<void> {
  if ('broken' in reply) return { type: 'away', detail: reply.broken };
  return isSuccess(reply) ? { type: 'done', value: undefined } : failureOf(reply, true);
}

const isRegistered = (value: object): value is Registered => {
  const { id, generation, detectionBound } = value as Partial<Record<keyof Registered, unknown>>;
  return typeof id === 'string' && typeof generation === 'number' && typeof detectionBound === 'string';
};

const explain = (url: string, error: unknown): string => `${url} cannot be reached (${rootOf(error)}).`;

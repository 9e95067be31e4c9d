import { CliError, failure, refused, unreachable, usageError, type ProblemBody } from './errors.ts';
import { printable } from './style.ts';
import { codeOf, whyUnreachable as why } from '../sdk/links/why-unreachable.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The access token to show, if there is one; asked for at every request. */
export type Token = () => string | undefined | Promise<string | undefined>;

export interface Request {
  readonly query?: Query;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
  /** Gives up at once, whatever has been sent. */
  readonly signal?: AbortSignal;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken?: string | null;
  readonly revision: number;
}

/** What a list is asked for at a time. */
const PAGE_SIZE = 500;

/** The server over HTTP. Whatever is not the answer asked for is thrown as a `CliError` that a person can act on. */
export class Api {
  /** Without a slash at its end. */
  readonly url: string;
  readonly #timeoutMs: number;
  readonly #token: Token;

  /** `timeoutMs` bounds each silence of the server, not the whole of a long answer. */
  constructor(url: string, timeoutMs: number, token: Token = () => undefined) {
    this.url = baseUrl(url);
    this.#timeoutMs = timeoutMs;
    this.#token = token;
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.send<T>('GET', path, { query });
  }

  /** An answer in JSON. */
  async send<T>(method: string, path: string, request: Request = {}): Promise<T> {
    const parts: Uint8Array[] = [];
    for await (const part of this.stream(method, path, { accept: 'application/json', ...request })) parts.push(part);
    try {
      return JSON.parse(Buffer.concat(parts).toString('utf8')) as T;
    } catch (error) {
      throw failure(
        'This is not an answer of Signalbox',
        `${method} ${this.url}${path} was not answered in JSON: ${(error as Error).message}`,
      );
    }
  }

  /** Something that is answered by its success alone. */
  async call(method: string, path: string, request: Request = {}): Promise<void> {
    const parts = this.stream(method, path, request);
    while ((await parts.next()).done !== true);
  }

  /** A body in JSON, and an answer in JSON. */
  sendJson<T>(method: string, path: string, body: unknown, request: Request = {}): Promise<T> {
    return this.send<T>(method, path, { ...request, body: JSON.stringify(body), contentType: 'application/json' });
  }

  /** The bytes of an answer as they come. */
  async *stream(method: string, path: string, request: Request = {}): AsyncGenerator<Uint8Array> {
    const abort = new AbortController();
    const listen = (): NodeJS.Timeout => setTimeout(() => abort.abort(), this.#timeoutMs);
    let timer = listen();
    try {
      const signal = request.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, request.signal]);
      const response = await this.#fetch(method, path, request, signal);
      if (!response.ok) throw await problemOf(response, `${method} ${this.url}${path}`);
      for await (const part of response.body ?? []) {
        // Whoever takes the part may be slow; that is not the server's silence.
        clearTimeout(timer);
        yield part;
        timer = listen();
      }
    } catch (error) {
      throw error instanceof CliError ? error : this.#explain(error, abort.signal.aborted, method);
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  /** All pages of a list, item by item, up to `limit`. */
  async *list<T>(path: string, query: Query, limit = Number.POSITIVE_INFINITY): AsyncGenerator<T> {
    let pageToken: string | undefined;
    let left = limit;
    while (left > 0) {
      const page: Page<T> = await this.get(path, { ...query, pageSize: Math.min(PAGE_SIZE, left), pageToken });
      yield* page.items.slice(0, left);
      left -= page.items.length;
      if (!page.nextPageToken) return;
      pageToken = page.nextPageToken;
    }
  }

  async #fetch(method: string, path: string, request: Request, signal: AbortSignal): Promise<Response> {
    const url = new URL(this.url + path);
    for (const [key, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const headers: Record<string, string> = { accept: request.accept ?? '*/*' };
    if (request.contentType !== undefined) headers['content-type'] = request.contentType;
    const token = await this.#token();
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    return fetch(url, {
      method,
      headers,
      signal,
      redirect: 'manual',
      ...(request.body !== undefined && { body: request.body }),
    });
  }

  #explain(error: unknown, timedOut: boolean, method: string): CliError {
    const seconds = this.#timeoutMs / 1000;
    const unsure = method === 'GET' ? '' : ' It is not known whether the change was made; sending it again is safe.';
    if (timedOut) {
      return unreachable(`${this.url} said nothing for ${seconds} s.${unsure} --timeout waits longer.`, error);
    }
    return unreachable(`${whyUnreachable(this.url, error)}${isRefused(error) ? '' : unsure}`, error);
  }
}

/** A server's address as typed, or a usage error that says what is wrong with it. */
export function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usageError(
      `"${printable(text)}" is not the address of a server; --url and SIGNALBOX_URL take one such as http://127.0.0.1:4400`,
    );
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw usageError('The address of the server (--url, SIGNALBOX_URL) carries no user, password, query or fragment.');
  }
  return url.href.replace(/\/+$/, '');
}

const isRefused = (error: unknown): boolean => codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOTFOUND';

/** One sentence on a failed connection that says what to do. */
export const whyUnreachable = (url: string, error: unknown): string =>
  printable(why(url, error, 'or say where it is with --url or SIGNALBOX_URL'));

async function problemOf(response: Response, request: string): Promise<CliError> {
  const { headers, status } = response;
  const to = headers.get('location');
  const about = to === null ? request : `${request}, which points to ${to},`;
  return answerError(status, headers.get('content-type') ?? '', await response.text(), about);
}

/** A refusal that came as an HTTP answer: the server's problem, or what stands there instead of Signalbox. */
export function answerError(status: number, contentType: string, body: string, request: string): CliError {
  const problem = contentType.includes('json') ? tryParse(body) : undefined;
  if (problem !== undefined) return refusalOf({ status, ...problem });
  return failure(
    'This is not an answer of Signalbox',
    `${request} was answered with ${status}. Check --url or SIGNALBOX_URL.`,
  );
}

/** The server's own refusal, with what to do about a token that it does not take. */
export function refusalOf(problem: ProblemBody): CliError {
  const { status, detail = '' } = problem;
  return refused({ ...problem, ...(status === 401 && { detail: `${detail} ${HOW_TO_SHOW}`.trim() }) });
}

const HOW_TO_SHOW = 'Run `signalbox login`, or give this command an access token with SIGNALBOX_TOKEN or --token-file.';

function tryParse(body: string): ProblemBody | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

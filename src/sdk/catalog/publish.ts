import { versionName } from '../../domain/names.ts';
import type { TokenSource } from '../auth.ts';
import { SignalboxError } from '../errors.ts';
import { reasonOf, Refusal } from '../links/refusal.ts';
import { whyUnreachable } from '../links/why-unreachable.ts';
import { request, TimeUp, within } from '../links/wire.ts';
import type { PublishedDocument, PublishOptions } from './published-document.ts';

interface Deps {
  /** Without a slash at its end. */
  url(): string;
  readonly tokens: TokenSource;
  readonly fetch?: typeof fetch;
}

const TIMEOUT_MS = 30_000;

/** `Client.publishDocument`. Asks first what the version has: of many instances that say the same, one has to send it. */
export async function publishDocument(
  deps: Deps,
  service: string,
  version: string,
  document: object | string,
  { timeoutMs = TIMEOUT_MS, signal }: PublishOptions = {},
): Promise<PublishedDocument> {
  const { text, type } = textOf(document);
  const sha256 = await sha256Of(text);
  const name = versionName(service, version);
  const url = deps.url();
  const path = `${url}/v1/services/${encodeURIComponent(service)}/versions/${encodeURIComponent(version)}`;
  try {
    return await within(timeoutMs, signal, async (ends) => {
      const answer = await ask(deps, path, { signal: ends });
      const value = (await answer.json()) as { readonly document?: { readonly sha256?: unknown } };
      if (value.document?.sha256 === sha256) return { sha256, changed: false };
      await ask(deps, `${path}/document`, {
        method: 'PUT',
        headers: { 'content-type': type },
        body: text,
        signal: ends,
      });
      return { sha256, changed: true };
    });
  } catch (error) {
    if (error instanceof SignalboxError) throw error;
    if (error instanceof Refusal) throw refused(error, name, url);
    if (signal?.aborted === true)
      throw new SignalboxError('stopped', 'Publishing the document was given up.', { cause: error });
    if (error instanceof TimeUp) {
      throw new SignalboxError('timeout', `${url} took longer than ${timeoutMs} ms.`, { cause: error });
    }
    throw new SignalboxError('unreachable', whyUnreachable(url, error), { cause: error });
  }
}

/** A text that is no JSON is YAML; the server says whether it is either. */
function textOf(document: object | string): { readonly text: string; readonly type: string } {
  if (typeof document !== 'string') return { text: JSON.stringify(document), type: 'application/json' };
  return { text: document, type: /^\s*\{/.test(document) ? 'application/json' : 'application/yaml' };
}

async function sha256Of(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** With a token; with another one where that is not taken. */
async function ask({ tokens, fetch: send = fetch }: Deps, url: string, init: RequestInit): Promise<Response> {
  const once = async (anew: boolean): Promise<Response> =>
    request({ fetch: send }, url, await before(init.signal, tokens.get(anew).catch(noToken)), init);
  try {
    return await once(false);
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401 || !tokens.renewable) throw error;
    return once(true);
  }
}

function noToken(error: unknown): never {
  if (error instanceof SignalboxError) throw error;
  throw new SignalboxError('unauthorized', `There is no access token: ${reasonOf(error)}`, { cause: error });
}

/** Whoever gives tokens may be slower than there is time. */
function before<T>(signal: AbortSignal | null | undefined, answer: Promise<T>): Promise<T> {
  if (signal === null || signal === undefined) return answer;
  return Promise.race([
    answer,
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('no token came in time')), { once: true });
    }),
  ]);
}

function refused({ status, problem, message, retryAfterMs }: Refusal, name: string, url: string): SignalboxError {
  const about = { ...(problem && { problem }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
  if (problem === undefined) {
    const detail = `${url} answered with ${status}, and not as Signalbox does: check the address.`;
    return new SignalboxError('unreachable', detail, about);
  }
  if (status === 401) {
    return new SignalboxError(
      'unauthorized',
      `${message} Give an access token with \`auth\`, or in SIGNALBOX_TOKEN.`,
      about,
    );
  }
  if (status === 408 || status === 429 || status >= 500) return new SignalboxError('unreachable', message, about);
  return new SignalboxError('refused', status === 404 ? howToCreate(name) : message, about);
}

const howToCreate = (name: string): string =>
  `${name} is not in the catalog, or not shown to this client. To create it: echo '{"name": "${name}"}' | signalbox apply -f -`;

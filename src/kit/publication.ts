import type { Client } from '../sdk/api.ts';
import { backoffMs } from '../sdk/connection/backoff.ts';
import { SignalboxError } from '../sdk/errors.ts';
import { pause } from '../sdk/registration/pause.ts';
import type { KitLog } from './log.ts';
import { REAL_TIMERS, type Timers } from './timers.ts';

/** What publishing needs of the SDK's client. */
export type Publisher = Pick<Client, 'publishDocument'>;

/** An API version of the service, and its document. */
export interface PublishedApi {
  /** As it is in the catalog, such as `v1`; it has to be there. */
  readonly version: string;
  /** An OpenAPI document, as an object or as a text in JSON or YAML; asked for once, when the app is complete. */
  readonly document: () => object | string | Promise<object | string>;
}

interface Deps {
  readonly serviceId: string;
  readonly publisher: Publisher;
  readonly api: PublishedApi;
  readonly log: Pick<KitLog, 'info' | 'warn'>;
  readonly timers?: Pick<Timers, 'after'>;
  readonly random?: () => number;
}

const BACKOFF = { baseMs: 1000, maxMs: 60_000 };
/** What is wrong with the document itself does not mend by waiting. */
const HOPELESS: ReadonlySet<number> = new Set([400, 413, 415]);

/** Publishes a document in the background: until Signalbox has it, it is hopeless, or `stop`. */
export class Publication {
  readonly #deps: Deps;
  readonly #stop = new AbortController();
  #started: Promise<void> | undefined;
  #said: string | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Nothing that goes wrong reaches the caller; it is in the log. */
  start(): void {
    this.#started ??= this.#run();
  }

  /** Resolves once nothing is under way any more. Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#started;
  }

  async #run(): Promise<void> {
    const { api, timers = REAL_TIMERS, random = Math.random } = this.#deps;
    const { signal } = this.#stop;
    try {
      const document = await api.document();
      for (let failures = 0; !signal.aborted; failures++) {
        const error = await this.#attempt(document);
        if (error === undefined) return;
        const asked = error.retryAfterMs ?? 0;
        await pause(timers, Math.max(asked, backoffMs(failures, random(), BACKOFF)), signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#deps.log.warn({ err: error }, `${this.#what()} is not published: ${reasonOf(error)}`);
    }
  }

  /** What went wrong and may be better another time. @throws what will not. */
  async #attempt(document: object | string): Promise<SignalboxError | undefined> {
    const { serviceId, publisher, api, log } = this.#deps;
    const { signal } = this.#stop;
    try {
      const { sha256, changed } = await publisher.publishDocument(serviceId, api.version, document, { signal });
      const done = changed ? 'is published' : 'is in the catalog already';
      log.info({ service: serviceId, version: api.version, sha256 }, `${this.#what()} ${done}`);
      return undefined;
    } catch (error) {
      if (!(error instanceof SignalboxError) || !mayMend(error)) throw error;
      // The first of a row is news, the others are the same.
      if (this.#said !== error.message && !signal.aborted)
        log.warn({ err: error }, `${this.#what()} is not published yet; it will be tried again: ${error.message}`);
      this.#said = error.message;
      return error;
    }
  }

  #what(): string {
    return `the API document of ${this.#deps.serviceId} ${this.#deps.api.version}`;
  }
}

function mayMend({ code, problem }: SignalboxError): boolean {
  if (code === 'stopped' || code === 'invalid-options') return false;
  return code !== 'refused' || !HOPELESS.has(problem?.status ?? 0);
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

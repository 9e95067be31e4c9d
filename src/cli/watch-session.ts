import { connect } from '../sdk/index.ts';
import type { Client } from '../sdk/api.ts';
import type { SignalboxError } from '../sdk/errors.ts';
import type { Select } from '../protocol/frames.ts';
import type { Watch, WatchChanges } from '../sdk/watch/watch.ts';
import { deltaOf, type Delta, type Value } from './delta.ts';
import { CliError, EXIT, failure, refused, unreachable } from './errors.ts';
import type { Token } from './http.ts';

/** What the one who watches is told: what became of the copy, and of the connection to it. */
export type WatchNotice =
  | { readonly type: 'loaded'; readonly revision: number; readonly values: readonly Value[] }
  /** A later snapshot is whole; `deltas` is how it differs from what was held. */
  | { readonly type: 'reloaded'; readonly revision: number; readonly count: number; readonly deltas: readonly Delta[] }
  | { readonly type: 'changed'; readonly deltas: readonly Delta[] }
  | { readonly type: 'reset'; readonly reason: string }
  | { readonly type: 'mismatch'; readonly revision: number }
  /** Told once; attempts to return go on until `regained`. `connected`: whether there was anything to lose. */
  | { readonly type: 'lost'; readonly why: string; readonly connected: boolean }
  | { readonly type: 'regained'; readonly since: number | undefined };

export interface WatchSessionOptions {
  readonly url: string;
  readonly select: Select;
  /** Asked for at every connection. */
  readonly token?: Token;
  readonly onNotice: (notice: WatchNotice) => void;
}

/**
 * A watch for somebody at a terminal: what cannot be had at first is a mistake that is said at once, where a service would wait;
 * what was had once is waited for.
 */
export class WatchSession {
  readonly #options: WatchSessionOptions;
  readonly #client: Client;
  readonly #watch: Watch;
  #settle: { resolve(): void; reject(error: Error): void } | undefined;
  #connected = false;
  #lost: { since: number | undefined } | undefined;

  constructor(options: WatchSessionOptions) {
    this.#options = options;
    const { url, select, token, onNotice } = options;
    // To whom a token may be shown is decided where it is read.
    this.#client = connect({ url, auth: { token: async () => token?.() }, allowHttp: true });
    this.#client.on('error', (error) => this.#failed(error));
    this.#client.on('mismatch', ({ revision }) => onNotice({ type: 'mismatch', revision }));
    this.#client.on('reset', ({ reason }) => {
      if (this.#lost !== undefined) this.#lost = { since: undefined };
      onNotice({ type: 'reset', reason });
    });
    this.#client.on('state', (phase) => {
      if (phase === 'live') this.#live();
    });
    this.#watch = this.#client.watch(select);
    this.#watch.on('change', (changes) => onNotice(noticeOf(changes)));
  }

  /** Resolves after `stop`; rejects when trying again would not help. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  async stop(): Promise<void> {
    await this.#client.close();
    this.#settle?.resolve();
  }

  #live(): void {
    this.#connected = true;
    if (this.#lost === undefined) return;
    const { since } = this.#lost;
    this.#lost = undefined;
    this.#options.onNotice({ type: 'regained', since });
  }

  #failed(error: SignalboxError): void {
    const { cause } = error;
    const isAway = !(cause instanceof CliError) || cause.exitCode === EXIT.unreachable;
    const mayPass = this.#connected ? isAway && error.code !== 'protocol' : isPassing(error);
    if (!mayPass || this.#client.phase === 'stopped') return this.#fail(asCliError(error));
    if (this.#lost !== undefined) return;
    this.#lost = { since: this.#watch.snapshot?.position.revision };
    const why = error.problem?.title ?? error.message;
    this.#options.onNotice({ type: 'lost', why, connected: this.#connected });
  }

  #fail(error: CliError): void {
    this.#settle?.reject(error);
    void this.#client.close();
  }
}

function noticeOf({ type, changes, snapshot }: WatchChanges): WatchNotice {
  const { position, size } = snapshot;
  switch (type) {
    case 'loaded':
      return { type, revision: position.revision, values: [...snapshot.values()] };
    case 'reloaded':
      return { type, revision: position.revision, count: size, deltas: changes.map(deltaOf) };
    case 'changed':
      return { type, deltas: changes.map(deltaOf) };
  }
}

/** Somebody of Signalbox was there, and is busy or goes away: that is not a mistake in the command line. */
function isPassing({ code, problem, cause }: SignalboxError): boolean {
  if (code !== 'unreachable') return false;
  return problem !== undefined || (typeof cause === 'object' && cause !== null && 'closeCode' in cause);
}

const WHERE = '--url or SIGNALBOX_URL says where it is.';
const HOW_TO_SHOW = 'Run `signalbox login`, or give this command an access token with SIGNALBOX_TOKEN or --token-file.';

function asCliError({ code, message, problem, cause }: SignalboxError): CliError {
  if (cause instanceof CliError) return cause;
  if (code === 'unreachable') return unreachable(`${message} ${WHERE}`, cause);
  if (code === 'unauthorized') {
    return refused({ title: 'Unauthenticated', ...problem, detail: `${message} ${HOW_TO_SHOW}` });
  }
  if (problem !== undefined) return refused({ ...problem });
  return failure(TITLES[code] ?? 'The server ended the subscription', message);
}

const TITLES: Readonly<Record<string, string>> = { protocol: 'The server cannot be understood' };

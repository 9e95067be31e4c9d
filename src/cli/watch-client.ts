import { FreshToken } from './fresh-token.ts';
import type { ClientFrame, ServerFrame, Select } from '../protocol/frames.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { CliError, EXIT, failure, unreachable } from './errors.ts';
import { answerError, whyUnreachable, type Token } from './http.ts';
import { WatchCache, type WatchEvent } from './watch-cache.ts';
import { afterBreak, afterClose, BACKOFF, backoffMs, type Backoff } from './watch-retry.ts';
import { WatchSocket, type End } from './watch-socket.ts';

/** What the one who watches is told: what became of the cache, and of the connection to it. */
export type WatchNotice =
  | WatchEvent
  /** Told once; attempts to return go on until `regained`. `connected`: whether there was anything to lose. */
  | { readonly type: 'lost'; readonly why: string; readonly connected: boolean }
  /** Before what was missed meanwhile is told. */
  | { readonly type: 'regained'; readonly since: number | undefined };

export interface WatchClientOptions {
  /** The server's address, without a slash at its end. */
  readonly url: string;
  readonly select: Select;
  readonly onNotice: (notice: WatchNotice) => void;
  /** Asked for at every connection. */
  readonly token?: Token;
  readonly backoff?: Backoff;
  readonly random?: () => number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly openTimeoutMs?: number;
}

type State =
  | { readonly phase: 'connected'; readonly socket: WatchSocket }
  | { readonly phase: 'waiting'; readonly timer: NodeJS.Timeout }
  /** Its token is being renewed. */
  | { readonly phase: 'asking' }
  | { readonly phase: 'ended' };

const SUBSCRIPTION = 'watch';
const OPEN_TIMEOUT_MS = 10_000;

/** A snapshot that does not even agree with its own digest is not mended by another one. */
const MAX_MISMATCHES = 3;

/** Keeps one subscription going over as many connections as it takes, from where the last one ended. */
export class WatchClient {
  readonly #options: WatchClientOptions;
  readonly #cache = new WatchCache();
  readonly #random: () => number;
  #settle: { resolve(): void; reject(error: Error): void } | undefined;
  #state: State = { phase: 'ended' };
  /** Connections since the last one that brought everything. */
  #failures = 0;
  #mismatches = 0;
  /** What was asked for last. */
  #asked: ClientFrame | undefined;
  /** A server of this protocol has spoken once, so that its absence is worth waiting out. */
  #welcomed = false;
  #lost = false;
  /** As the last welcome has it. */
  #resumeWithin: number | undefined;
  /** What the server was shown last. */
  #shown: string | undefined;
  readonly #fresh: FreshToken;

  constructor(options: WatchClientOptions) {
    this.#options = options;
    this.#fresh = new FreshToken(options.token ?? ((): undefined => undefined));
    this.#random = options.random ?? Math.random;
  }

  /** Resolves after `stop`; rejects when trying again would not help. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#connect();
    });
  }

  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { phase: 'ended' };
    this.#fresh.stop();
    if (state.phase === 'waiting') clearTimeout(state.timer);
    if (state.phase === 'connected') await state.socket.close();
    this.#settle?.resolve();
  }

  #connect(): void {
    let token: ReturnType<Token>;
    try {
      token = this.#options.token?.();
    } catch (error) {
      if (error instanceof CliError) return this.#fail(error);
      throw error;
    }
    if (!(token instanceof Promise)) return this.#open(token);
    this.#state = { phase: 'asking' };
    token.then(
      (late) => {
        if (this.#state.phase === 'asking') this.#open(late);
      },
      (error: Error) => {
        if (this.#state.phase !== 'asking') return;
        const isAway = error instanceof CliError && error.exitCode === EXIT.unreachable;
        if (!isAway || !this.#welcomed) return this.#fail(error);
        this.#retry(
          backoffMs(this.#failures, this.#random(), this.#options.backoff ?? BACKOFF),
          'the login cannot be renewed',
        );
      },
    );
  }

  #open(token: string | undefined): void {
    this.#shown = token;
    const { url, now = () => performance.now(), openTimeoutMs = OPEN_TIMEOUT_MS } = this.#options;
    const socket = new WatchSocket(`${url.replace(/^http/, 'ws')}/v1/watch`, {
      now,
      openTimeoutMs,
      token,
      onFrame: (frame) => this.#receive(socket, frame),
      onEnd: (end) => this.#ended(end),
    });
    this.#state = { phase: 'connected', socket };
  }

  #receive(socket: WatchSocket, frame: ServerFrame): void {
    if (this.#state.phase !== 'connected') return;
    switch (frame.type) {
      case 'welcome': {
        if (frame.protocol !== PROTOCOL_VERSION) {
          return this.#fail(
            failure(
              'The server speaks another protocol',
              `It speaks version ${frame.protocol} of the push protocol and this command version ${PROTOCOL_VERSION}: use the \`signalbox\` that came with the server.`,
            ),
          );
        }
        this.#welcomed = true;
        this.#resumeWithin = frame.resumeWithin;
        socket.expectEvery(frame.heartbeat);
        this.#cache.connected(frame.epoch);
        const { since } = this.#cache;
        this.#ask(socket, {
          type: 'subscribe',
          id: SUBSCRIPTION,
          select: this.#options.select,
          ...(since !== undefined && { since }),
        });
        return;
      }
      case 'subscribed':
        this.#cache.subscribed(frame.topic);
        if (this.#lost) this.#options.onNotice({ type: 'regained', since: this.#cache.since?.revision });
        this.#lost = false;
        return;
      case 'error':
        // Who is not taken with it comes back with the one that there is then.
        if (frame.code === 'invalid-token') return;
        if (frame.code === 'rate-limited') return this.#askAgain(socket, frame.retryAfterMs);
        return this.#fail(failure('The server does not take the subscription', frame.message));
      case 'snapshot':
      case 'synced':
      case 'change':
      case 'bookmark':
      case 'reset':
        for (const event of this.#cache.fold(frame)) this.#tell(socket, event);
        if (frame.type === 'synced') this.#failures = 0;
        return;
      case 'reauth':
        this.#fresh.await(this.#shown, frame.expiresIn, (token) => {
          if (this.#state.phase !== 'connected' || this.#state.socket !== socket) return;
          this.#shown = token;
          this.#asked = { type: 'reauth', token };
          socket.send(this.#asked);
        });
        return;
      // A later server may say more; a pong has been heard, and that was its purpose.
      default:
    }
  }

  #tell(socket: WatchSocket, event: WatchEvent): void {
    this.#options.onNotice(event);
    if (event.type !== 'mismatch') {
      if (this.#cache.since !== undefined) this.#mismatches = 0;
      return;
    }
    this.#mismatches += 1;
    if (this.#mismatches >= MAX_MISMATCHES) {
      this.#fail(
        failure(
          'The copy does not agree with the server',
          `${MAX_MISMATCHES} times in a row the digest was not the server's: use the \`signalbox\` that came with the server.`,
        ),
      );
    } else {
      this.#ask(socket, { type: 'resync', id: SUBSCRIPTION, revision: event.revision, digest: event.digest });
    }
  }

  #ask(socket: WatchSocket, frame: ClientFrame): void {
    this.#asked = frame;
    socket.send(frame);
  }

  /** The server is asked the same again later, over the same connection if that still stands. */
  #askAgain(socket: WatchSocket, afterMs = BACKOFF.maxMs): void {
    setTimeout(() => {
      const { phase } = this.#state;
      if (phase === 'connected' && this.#state.socket === socket && this.#asked) this.#ask(socket, this.#asked);
    }, afterMs).unref();
  }

  #ended(end: End): void {
    const { url, backoff = BACKOFF } = this.#options;
    const attempt = { failures: this.#failures, random: this.#random(), resumeWithin: this.#resumeWithin, backoff };
    switch (end.kind) {
      case 'failed':
        if (!this.#welcomed) return this.#fail(unreachable(whyUnreachable(url, end.error), end.error));
        return this.#retry(backoffMs(attempt.failures, attempt.random, backoff), 'it cannot be reached');
      case 'silent':
        if (!this.#welcomed)
          return this.#fail(
            unreachable(`${url} took the connection and said nothing for ${Math.round(end.ms / 1000)} s.`),
          );
        return this.#retry(afterBreak(attempt), `nothing was heard for ${(end.ms / 1000).toFixed(1)} s`);
      case 'answered': {
        const error = answerError(end.status, end.contentType, end.body, `${url}/v1/watch`);
        if (end.status < 500 && end.status !== 429) return this.#fail(error);
        const asked = Number(end.retryAfter) * 1000;
        const jittered = backoffMs(attempt.failures, attempt.random, backoff);
        return this.#retry(
          Math.max(Number.isFinite(asked) ? asked : 0, 0) + jittered,
          error.problem.title ?? `it answers ${end.status}`,
        );
      }
      case 'closed': {
        const next = afterClose(end.code, end.reason, attempt);
        if (next.do === 'stop') return this.#fail(failure('The server ended the subscription', next.why));
        return this.#retry(next.afterMs, next.why);
      }
    }
  }

  #retry(afterMs: number, why: string): void {
    this.#failures += 1;
    if (!this.#lost) this.#options.onNotice({ type: 'lost', why, connected: this.#welcomed });
    this.#lost = true;
    this.#state = { phase: 'waiting', timer: setTimeout(() => this.#connect(), afterMs) };
  }

  #fail(error: Error): void {
    this.#settle?.reject(error);
    void this.stop();
  }
}

import { type Client, type ClientEvents, type ConnectionPhase, type RegisteredInstance, type Service } from './api.ts';
import { tokenSource, type TokenSource } from './auth.ts';
import { callerOf, startingCaller } from './caller.ts';
import type { Keep } from './cache/keep.ts';
import { publishDocument } from './catalog/publish.ts';
import type { PublishedDocument, PublishOptions } from './catalog/published-document.ts';
import { Connection, type Linked } from './connection/connection.ts';
import type { LinkFrame } from './connection/link.ts';
import { Requests } from './connection/requests.ts';
import type { Copies } from './connection/state.ts';
import { WatchedInstances } from './discovery/instance-source.ts';
import type { ServiceOptions } from './discovery/options.ts';
import { SignalboxError } from './errors.ts';
import { Listeners } from './listeners.ts';
import type { Auth, ClientLog, ConnectOptions } from './options.ts';
import type { Parts, Registrar, RegistrarDeps, ServiceDeps, Services } from './parts.ts';
import { SocketAttachment } from './registration/socket-attachment.ts';
import type { RegisterOptions, Registration } from './registration/options.ts';
import type { Select } from './select.ts';
import { readSettings } from './settings.ts';
import { framed } from './watch/framed.ts';
import { typed } from './watch/handle.ts';
import { Subscriptions } from './watch/subscriptions.ts';
import type { Named, Resource, Watch } from './watch/watch.ts';

const CLOSE_TIMEOUT_MS = 5000;
const SILENT: ClientLog = { debug() {}, info() {}, warn() {}, error() {} };

/** Wires the connection to those who watch, call and register; what is to be done is decided elsewhere. */
export class SignalboxClient implements Client {
  readonly #log: ClientLog;
  readonly #auth: Auth | undefined;
  readonly #keep: Keep | undefined;
  readonly #connection: Connection;
  readonly #subscriptions: Subscriptions;
  readonly #requests: Requests;
  readonly #attachment: SocketAttachment;
  readonly #services: Services;
  readonly #registrar: Registrar;
  readonly #tokens: TokenSource;
  readonly #listeners: { readonly [E in keyof ClientEvents]: Listeners<ClientEvents[E]> };
  #holds = 0;
  #copies: Copies | undefined;
  #linked: Linked | undefined;
  #url: string;
  /** What went wrong since everything was there last. */
  #trouble: SignalboxError | undefined;
  #turnedAway: SignalboxError | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ConnectOptions, parts: Parts) {
    const { time, clock, random, carriers, env } = parts;
    const settings = readSettings(options, parts);
    const log = (this.#log = options.log ?? SILENT);
    const onFault = (error: unknown): void => log.error({ err: error }, 'a listener has thrown');
    this.#listeners = {
      state: new Listeners(onFault),
      error: new Listeners(onFault),
      mismatch: new Listeners(onFault),
      reset: new Listeners(onFault),
    };
    this.#url = settings.connection.urls[0];
    const { directory } = options;
    this.#keep = directory === undefined ? undefined : parts.openKeep?.(directory, settings.server, log);
    const { auth } = settings;
    this.#auth = auth;
    const tokens = (this.#tokens = tokenSource(auth, parts));
    const onError = (error: SignalboxError): void => this.#failed(error);
    this.#requests = new Requests(time);
    this.#attachment = new SocketAttachment(onFault);
    this.#connection = new Connection({
      settings: settings.connection,
      carriers,
      tokens,
      time,
      random,
      onLinked: (linked) => this.#onLinked(linked),
      onUnlinked: () => this.#onUnlinked(),
      onFrame: (frame) => this.#onFrame(frame),
      onPhase: (phase, error) => this.#onPhase(phase, error),
      onError,
    });
    this.#subscriptions = new Subscriptions({
      time,
      clock,
      random,
      server: settings.server,
      keep: this.#keep,
      caller: startingCaller({ auth, tokens, time, timeoutMs: settings.connection.openTimeoutMs }),
      send: (frame) => this.#connection.send(frame),
      onChange: () => this.#changed(),
      onError,
      onMismatch: (about) => {
        log.warn(about, 'a copy does not agree with the server, and is loaded anew');
        this.#listeners.mismatch.tell(about);
      },
      onReset: (about) => this.#listeners.reset.tell(about),
      onFault,
      trouble: () => this.#trouble,
    });
    const shared = { env, time, random, log, onError };
    this.#services = parts.createService(this.#serviceDeps(shared, options));
    const { urls } = settings.connection;
    this.#registrar = parts.createRegistrar({ ...this.#registrarDeps(shared, options, tokens), urls });
  }

  get phase(): ConnectionPhase {
    return this.#connection.phase;
  }

  /** Why the connection is not made again, although nobody has closed the client. */
  get turnedAway(): SignalboxError | undefined {
    return this.#turnedAway;
  }

  watch<T extends Named = Resource>(select: Select): Watch<T> {
    this.#assertOpen();
    if (this.#turnedAway !== undefined) throw cannotWatch(this.#turnedAway);
    return typed<T>(this.#subscriptions.watch(framed(select)));
  }

  service(id: string, options?: ServiceOptions): Service {
    this.#assertOpen();
    return this.#services.service(id, options);
  }

  async register(registration: Registration, options?: RegisterOptions): Promise<RegisteredInstance> {
    this.#assertOpen();
    return this.#registrar.register(registration, options);
  }

  async publishDocument(
    service: string,
    version: string,
    document: object | string,
    options?: PublishOptions,
  ): Promise<PublishedDocument> {
    this.#assertOpen();
    return publishDocument({ url: () => this.#url, tokens: this.#tokens }, service, version, document, options);
  }

  on<E extends keyof ClientEvents>(event: E, listener: (about: ClientEvents[E]) => void): () => void {
    return this.#listeners[event].add(listener);
  }

  close({ timeoutMs = CLOSE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(timeoutMs);
    return this.#closed;
  }

  async #close(timeoutMs: number): Promise<void> {
    // Callers are told first; what they still call is drained then.
    await this.#registrar.close({ timeoutMs });
    await this.#services.close({ timeoutMs });
    this.#connection.take({ type: 'stop' });
    await this.#keep?.close();
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
  }

  #serviceDeps(shared: Omit<ServiceDeps, 'source' | 'options'>, options: ConnectOptions): ServiceDeps {
    return { ...shared, options, source: (select) => new WatchedInstances(this.watch(select)) };
  }

  #registrarDeps(
    shared: Omit<ServiceDeps, 'source' | 'options'>,
    options: ConnectOptions,
    tokens: TokenSource,
  ): Omit<RegistrarDeps, 'urls'> {
    return {
      ...shared,
      options,
      tokens,
      requests: this.#requests,
      attachment: this.#attachment,
      hold: () => this.#hold(),
      url: () => this.#url,
    };
  }

  #hold(): () => void {
    let held = true;
    this.#holds += 1;
    this.#changed();
    return () => {
      if (!held) return;
      held = false;
      this.#holds -= 1;
      this.#changed();
    };
  }

  #onLinked(linked: Linked): void {
    this.#linked = linked;
    this.#url = linked.url;
    this.#requests.linked(this.#connection);
    const { epoch, token, carrier } = linked;
    this.#subscriptions.linked({ epoch, caller: callerOf(this.#auth, token), digests: carrier !== 'long-poll' });
    this.#changed();
    this.#attachment.set(linked.carrier === 'websocket' ? linked.number : undefined, linked.heartbeatMs);
  }

  #onUnlinked(): void {
    this.#linked = undefined;
    this.#attachment.set(undefined);
    this.#requests.unlinked();
    this.#subscriptions.unlinked();
    this.#changed();
  }

  #onFrame(frame: LinkFrame): void {
    if (this.#subscriptions.take(frame) || this.#requests.take(frame)) return;
    if (frame.type !== 'error' || frame.code === 'unknown-id') return;
    this.#failed(new SignalboxError('refused', `Signalbox did not take a frame: ${frame.message}`));
  }

  /** What is wanted, and what is held of it. */
  #changed(): void {
    const { size, prepared } = this.#subscriptions;
    const { copies } = this.#subscriptions;
    const now = copies === 'current' && this.#linked === undefined ? 'held' : copies;
    if (now !== this.#copies) {
      this.#copies = now;
      this.#connection.take({ type: 'copies', copies: now });
    }
    if (size === 0 && this.#holds === 0) this.#connection.take({ type: 'unwanted' });
    // What an earlier process has left is looked at first, once.
    else if (this.#connection.phase === 'cold' && prepared) this.#connection.take({ type: 'wanted' });
  }

  #onPhase(phase: ConnectionPhase, error: SignalboxError | undefined): void {
    if (phase === 'live') this.#trouble = undefined;
    if (phase === 'stopped') this.#turnedAway = error;
    this.#log.debug({ phase }, 'the connection to Signalbox');
    this.#listeners.state.tell(phase);
    if (phase !== 'stopped') return;
    if (error !== undefined) this.#turnAway(error);
    this.#subscriptions.end(error);
  }

  #turnAway(error: SignalboxError): void {
    this.#trouble = error;
    this.#log.error({ err: error }, `Signalbox has turned this client away for good: ${error.message}`);
    this.#listeners.error.tell(error);
  }

  #failed(error: SignalboxError): void {
    // The first of a row is news, the others are the same.
    const level = this.#trouble === undefined || error.code === 'protocol' ? 'warn' : 'debug';
    this.#trouble = error;
    this.#log[level]({ err: error }, error.message);
    this.#listeners.error.tell(error);
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new SignalboxError('stopped', 'The client is closed.');
  }
}

const cannotWatch = (cause: SignalboxError): SignalboxError =>
  new SignalboxError('stopped', `Signalbox has turned this client away for good: ${cause.message}`, { cause });

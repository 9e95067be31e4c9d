import { topicOf } from '../../domain/selector.ts';
import type { Position } from '../../domain/position.ts';
import type { ClientFrame, ResetFrame, SubscribeFrame } from '../../protocol/frames.ts';
import type { Link, LinkAddress, LinkEvents, LinkFrame } from '../connection/link.ts';
import { BROKEN, Closed, endOf, errorFrame, Refusal, subscriptionError } from './refusal.ts';
import { queryOf } from './select-query.ts';
import { pause, request, SILENT_AFTER, type HttpDeps, type Subscription, type Way, type Wire } from './wire.ts';

interface Followed {
  readonly subscription: Subscription;
  controller: AbortController;
}

/** A server that was heard within so many heartbeats is taken to be there. */
const LATELY = 2;

/** A link over HTTP requests: what a WebSocket would be told, and would tell, by whatever way subscriptions are carried. */
export class HttpLink implements Link {
  readonly #address: LinkAddress;
  readonly #events: LinkEvents;
  readonly #deps: HttpDeps;
  readonly #way: Way;
  readonly #wire: Wire;
  readonly #followed = new Map<string, Followed>();
  #token: string | undefined;
  #idle: AbortController | undefined;
  #welcome: Extract<LinkFrame, { type: 'welcome' }> | undefined;
  /** What was sent before the welcome: subscriptions follow it. */
  #early: ClientFrame[] = [];
  #heardAt = -Infinity;
  #isOver = false;

  constructor(way: Way, address: LinkAddress, events: LinkEvents, deps: HttpDeps) {
    this.#address = address;
    this.#events = events;
    this.#deps = deps;
    this.#way = way;
    this.#token = address.token;
    this.#wire = this.#makeWire();
    this.#beIdle();
  }

  send(frame: ClientFrame): void {
    if (this.#isOver) return;
    if (this.#welcome === undefined) return void this.#early.push(frame);
    switch (frame.type) {
      case 'subscribe':
        return this.#subscribe(frame);
      case 'unsubscribe':
        return this.#unsubscribe(frame.id);
      case 'resync':
        return this.#resync(frame.id);
      case 'ping':
        return this.#pong();
      case 'reauth':
        return this.#reauth(frame.token);
      default:
        // Whoever registers makes an HTTP request of its own where there is no socket.
        return this.#answer(errorFrame(frame.id, 'unavailable', 'registrations are requests of their own here'));
    }
  }

  close(): void {
    this.#isOver = true;
    this.#idle?.abort();
    for (const { controller } of this.#followed.values()) controller.abort();
    this.#followed.clear();
  }

  #makeWire(): Wire {
    const welcomed = () => this.#welcome;
    return {
      openTimeoutMs: this.#address.openTimeoutMs,
      get heartbeat() {
        return welcomed()?.heartbeat ?? Infinity;
      },
      get epoch() {
        return welcomed()?.epoch ?? '';
      },
      request: (path, init) => request(this.#deps, this.#address.url + path, this.#token, init),
      welcome: (frame) => {
        const isFirst = this.#welcome === undefined;
        this.#welcome = frame;
        if (!isFirst) return;
        this.#tell(frame);
        for (const early of this.#early.splice(0)) this.send(early);
      },
      tell: (frame) => this.#tell(frame),
      heard: () => {
        this.#heardAt = this.#deps.now();
        if (!this.#isOver && this.#welcome !== undefined) this.#events.onHeard();
      },
    };
  }

  #tell(frame: LinkFrame): void {
    if (this.#isOver) return;
    // Whoever has something to follow hears of the server by that.
    if (frame.type === 'subscribed') this.#idle?.abort();
    this.#events.onFrame(frame);
  }

  #subscribe({ id, select, since }: SubscribeFrame): void {
    if (this.#followed.has(id)) {
      return this.#answer(errorFrame(id, 'duplicate-id', 'a subscription with this id stands already'));
    }
    const said = queryOf(select);
    if (!said.ok) return this.#answer(errorFrame(id, 'bad-select', said.why));
    const topic = topicOf(select);
    this.#follow({ id, select, query: said.query, topic, position: since, isTold: false, waitedMs: 0 });
  }

  #follow(subscription: Subscription): void {
    const controller = new AbortController();
    this.#followed.set(subscription.id, { subscription, controller });
    this.#run(controller, this.#way.follow(subscription, this.#wire, controller.signal), subscription);
  }

  #unsubscribe(id: string): void {
    const followed = this.#take(id);
    if (followed === undefined) return this.#unknown(id);
    this.#answer({ type: 'unsubscribed', id, topic: followed.subscription.topic });
  }

  #take(id: string): Followed | undefined {
    const followed = this.#followed.get(id);
    followed?.controller.abort();
    this.#followed.delete(id);
    if (this.#followed.size === 0) this.#beIdle();
    return followed;
  }

  #unknown(id: string): void {
    this.#answer(errorFrame(id, 'unknown-id', 'there is no subscription with this id'));
  }

  #resync(id: string): void {
    const followed = this.#followed.get(id);
    if (followed === undefined) return this.#unknown(id);
    followed.subscription.position = undefined;
    this.#again(followed, 'resync');
  }

  /** Goes on from the position, or, where there is none, with the state anew. */
  #again({ subscription, controller }: Followed, reason: ResetFrame['reason']): void {
    controller.abort();
    if (subscription.isTold && subscription.position === undefined) {
      this.#answer({ type: 'reset', topic: subscription.topic, epoch: this.#wire.epoch, reason });
    }
    this.#follow(subscription);
  }

  #reauth(token: string): void {
    this.#token = token;
    this.#answer({ type: 'reauthed' });
    for (const followed of this.#followed.values()) this.#again(followed, 'access');
  }

  #pong(): void {
    if (this.#deps.now() - this.#heardAt <= LATELY * this.#wire.heartbeat) this.#answer({ type: 'pong' });
  }

  /** Not before `send` has returned, as with a socket. */
  #answer(frame: LinkFrame): void {
    queueMicrotask(() => this.#tell(frame));
  }

  #beIdle(): void {
    if (this.#isOver || this.#idle?.signal.aborted === false) return;
    this.#idle = new AbortController();
    this.#run(this.#idle, this.#way.idle(this.#wire, this.#idle.signal));
  }

  #run({ signal }: AbortController, task: Promise<void>, subscription?: Subscription): void {
    void task.then(
      () => signal.aborted || this.#fail(new Closed(BROKEN, 'the answer has ended')),
      (error: unknown) => signal.aborted || this.#failed(error, signal, subscription),
    );
  }

  #failed(error: unknown, signal: AbortSignal, subscription: Subscription | undefined): void {
    if (subscription === undefined || !(error instanceof Refusal)) return this.#fail(error);
    if (error.status === 429 && subscription.isTold) return void this.#tooSoon(error, signal, subscription);
    const frame = subscriptionError(subscription.id, error);
    if (frame === undefined) return this.#fail(error);
    this.#take(subscription.id);
    this.#tell(frame);
  }

  /**
   * A subscription that stands is not taken back because it comes back too soon. But what is to wait for longer than a link may be
   * silent is not current meanwhile, and only the end of the link says so.
   */
  async #tooSoon(error: Refusal, signal: AbortSignal, subscription: Subscription): Promise<void> {
    const { retryAfterMs = 1000 } = error;
    subscription.waitedMs += retryAfterMs;
    if (subscription.waitedMs > SILENT_AFTER * this.#wire.heartbeat) return this.#fail(error);
    await pause(retryAfterMs, signal);
    if (!signal.aborted) this.#follow(subscription);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    const end = endOf(error, { isOpen: this.#welcome !== undefined, url: this.#address.url });
    this.close();
    this.#events.onEnd(end);
  }
}

/** Where a position leads that is of no use any more. */
export function startOver(subscription: Subscription, wire: Wire, at: Pick<Position, 'epoch'>, reason: string): void {
  subscription.position = undefined;
  // Reasons may be added; a client takes one that it does not know for any other.
  wire.tell({ type: 'reset', topic: subscription.topic, epoch: at.epoch, reason: reason as ResetFrame['reason'] });
}

import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import type { Announcement, Bus } from './port.ts';
import { decodeAnnouncement, encodeAnnouncement, headOf } from './wire.ts';

export interface RedisBusOptions {
  /** One server, as redis://user:password@host:6379 or rediss://. */
  readonly url: string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Redis's channels know no database numbers: two installations that share a server need two names. */
  readonly channel?: string;
}

type Listener = Parameters<Bus['subscribe']>[0];

/** Announcements that Redis has not confirmed. It confirms within a millisecond; this many means that it has stalled. */
const MAX_UNCONFIRMED = 256;
/** The subscription is silent while nobody writes; so often it is asked whether it still lives. */
const CHECK_MS = 10_000;
/** A connection that owes an answer for this long is given up. */
const ANSWER_MS = 5000;
const DISCONNECT_MS = 500;
/** Unreadable messages are logged once in this time. */
const QUIET_MS = 60_000;

/** Returns at once and stays in place while Redis is away: then it drops what it is given and delivers nothing (PUSH11). */
export function openRedisBus(options: RedisBusOptions): Bus {
  return new RedisBus(options);
}

class RedisBus implements Bus {
  readonly #node = randomUUID();
  readonly #head = headOf(this.#node);
  readonly #log: RedisBusOptions['log'];
  readonly #channel: string;
  readonly #outage: Outage;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #check: NodeJS.Timeout;
  readonly #listeners: Listener[] = [];
  #unconfirmed = 0;
  #subscribed = false;
  #closing: Promise<unknown> | undefined;
  #unreadable = 0;
  #quietUntil = 0;

  constructor({ url, log, channel = 'signalbox:commits' }: RedisBusOptions) {
    this.#log = log;
    this.#channel = channel;
    this.#outage = new Outage(log);
    this.#publisher = this.#connect(url, 'signalbox-publish');
    this.#publisher.on('ready', () => this.#outage.ended(this.#publisher));
    this.#subscriber = this.#connect(url, 'signalbox-subscribe');
    this.#subscriber.on('ready', () => void this.#listen());
    this.#subscriber.on('close', () => {
      this.#subscribed = false;
    });
    this.#subscriber.on('message', (_channel, message) => this.#receive(message));
    this.#check = setInterval(() => this.#checkSubscription(), CHECK_MS).unref();
  }

  publish(announcement: Announcement): void {
    const redis = this.#publisher;
    if (this.#closing !== undefined || redis.status !== 'ready') return;
    if (this.#unconfirmed >= MAX_UNCONFIRMED) {
      this.#outage.began(redis, 'it does not confirm what is published');
      return;
    }
    this.#unconfirmed++;
    redis
      .publish(this.#channel, encodeAnnouncement(this.#node, announcement))
      .then(
        () => this.#outage.ended(redis),
        (error: unknown) => this.#failed(redis, error),
      )
      .finally(() => this.#unconfirmed--);
  }

  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#listeners.length = 0;
    clearInterval(this.#check);
    this.#closing ??= Promise.all([disconnect(this.#publisher), disconnect(this.#subscriber)]);
    await this.#closing;
  }

  #connect(url: string, connectionName: string): Redis {
    const redis = new Redis(url, { ...CONNECTION, ...serverName(url), connectionName });
    redis.on('error', (error: unknown) => this.#failed(redis, error));
    redis.on('close', () => this.#failed(redis, new Error('the connection was closed')));
    return redis;
  }

  #failed(redis: Redis, error: unknown): void {
    if (this.#closing === undefined) this.#outage.began(redis, reasonOf(error));
  }

  async #listen(): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.#channel);
    } catch (error) {
      this.#failed(this.#subscriber, error);
      return;
    }
    this.#subscribed = true;
    this.#outage.ended(this.#subscriber);
    // Only now: what is announced from here on arrives, and what was announced before shows in the log.
    this.#gap();
  }

  #checkSubscription(): void {
    if (this.#subscriber.status !== 'ready') return;
    if (this.#subscribed) this.#subscriber.ping().catch((error: unknown) => this.#failed(this.#subscriber, error));
    else void this.#listen();
  }

  #receive(message: string): void {
    if (message.startsWith(this.#head)) return;
    let announcement: Announcement;
    try {
      announcement = decodeAnnouncement(message);
    } catch (error) {
      this.#reportUnreadable(error);
      this.#gap();
      return;
    }
    for (const listener of this.#listeners) listener.onAnnouncement(announcement);
  }

  #gap(): void {
    for (const listener of this.#listeners) listener.onGap();
  }

  #reportUnreadable(error: unknown): void {
    this.#unreadable++;
    const now = performance.now();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + QUIET_MS;
    const facts = { channel: this.#channel, reason: reasonOf(error), messages: this.#unreadable };
    this.#unreadable = 0;
    this.#log.warn(facts, 'unreadable news on the bus: the log is read instead');
  }
}

/** Two connections, one Redis: says once that it is away and once that it is back. */
class Outage {
  readonly #log: RedisBusOptions['log'];
  readonly #down = new Set<Redis>();

  constructor(log: RedisBusOptions['log']) {
    this.#log = log;
  }

  began(redis: Redis, reason: string): void {
    const known = this.#down.size > 0;
    this.#down.add(redis);
    if (!known) this.#log.warn({ reason }, 'Redis is away: nodes learn of each other’s commits later, from the log');
  }

  ended(redis: Redis): void {
    if (this.#down.delete(redis) && this.#down.size === 0) this.#log.info('Redis is back');
  }
}

const CONNECTION: RedisOptions = {
  // Nothing is kept for later: an old announcement is of no use, and the subscription is made anew here.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  socketTimeout: ANSWER_MS,
  connectTimeout: ANSWER_MS,
  disconnectTimeout: DISCONNECT_MS,
  retryStrategy: (attempt) => Math.min(50 * 2 ** (attempt - 1), 2000) * (0.75 + Math.random() / 2),
};

/** TLS servers behind one address are told apart by name, which ioredis does not send by itself. */
function serverName(url: string): RedisOptions {
  const { protocol, hostname } = new URL(url);
  return protocol === 'rediss:' && isIP(hostname.replace(/^\[|\]$/gu, '')) === 0
    ? { tls: { servername: hostname } }
    : {};
}

/** What was written still goes out. A connection that is not open says nothing of its end, yet keeps a timer for as long. */
async function disconnect(redis: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<void>((resolve) => {
    redis.once('end', resolve);
    timer = setTimeout(resolve, DISCONNECT_MS);
  });
  redis.disconnect();
  await ended;
  clearTimeout(timer);
}

/** The text alone: ioredis attaches the failed command with its arguments, and those may hold the password. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { disconnect, isElsewhere, openConnection, reasonOf, reconnect } from '../redis/connect.ts';
import { redisTarget, type RedisTarget } from '../redis/url.ts';
import type { Announcement, Bus } from './port.ts';
import { decodeAnnouncement, encodeAnnouncement, headOf } from './wire.ts';

export interface RedisBusOptions {
  /** As `readRedisUrl` reads it: one server, Sentinels, or a cluster. */
  readonly url: string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Redis's channels know no database numbers: two installations that share a server need two. `signalbox` when not given. */
  readonly prefix?: string;
}

type Listener = Parameters<Bus['subscribe']>[0];

/** Announcements that Redis has not confirmed. It confirms within a millisecond; this many means that it has stalled. */
const MAX_UNCONFIRMED = 256;
/** Connections are silent while nobody writes; so often they are asked whether they still live, and have two seconds to say so. */
const CHECK_MS = 1500;
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
  readonly #target: RedisTarget;
  /**
   * In a cluster, a channel belongs to a slot like a key, and so to one master: all announcements go through that one, and
   * none to the servers where nobody listens. They are a few a second, and their order is that of one server.
   */
  readonly #channel: string;
  readonly #outage: Outage;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #check: NodeJS.Timeout;
  readonly #listeners: Listener[] = [];
  #unconfirmed = 0;
  #listening = false;
  #subscribed = false;
  #closing: Promise<unknown> | undefined;
  #unreadable = 0;
  #quietUntil = 0;

  constructor({ url, log, prefix = 'signalbox' }: RedisBusOptions) {
    this.#log = log;
    this.#target = redisTarget(url);
    this.#channel = `${prefix}:commits`;
    this.#outage = new Outage(log);
    this.#publisher = this.#connect('signalbox-publish');
    this.#publisher.on('ready', () => void this.#probe());
    this.#subscriber = this.#connect('signalbox-subscribe');
    this.#subscriber.on('ready', () => void this.#listen());
    this.#subscriber.on('close', () => {
      this.#subscribed = false;
    });
    this.#subscriber.on(this.#sharded ? 'smessage' : 'message', (_channel: string, message: string) =>
      this.#receive(message),
    );
    // The slot has gone to another master, and the subscription with it.
    this.#subscriber.on('moved', () => reconnect(this.#subscriber));
    this.#check = setInterval(() => this.#checkConnections(), CHECK_MS).unref();
  }

  get state(): 'here' | 'away' {
    const here = this.#subscribed && this.#publisher.status === 'ready' && !this.#outage.isNow;
    return here && this.#closing === undefined ? 'here' : 'away';
  }

  get #sharded(): boolean {
    return this.#target.form === 'cluster';
  }

  publish(announcement: Announcement): void {
    const redis = this.#publisher;
    if (this.#closing !== undefined || redis.status !== 'ready') return;
    if (this.#unconfirmed >= MAX_UNCONFIRMED) {
      this.#failed(redis, new Error('it does not confirm what is published'));
      return;
    }
    this.#unconfirmed++;
    const message = encodeAnnouncement(this.#node, announcement);
    const published = this.#sharded ? redis.spublish(this.#channel, message) : redis.publish(this.#channel, message);
    published
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

  #connect(name: string): Redis {
    const redis = openConnection({ target: this.#target, name, key: this.#channel });
    redis.on('error', (error: unknown) => this.#failed(redis, error));
    redis.on('close', () => this.#failed(redis, new Error('the connection was closed')));
    return redis;
  }

  #failed(redis: Redis, error: unknown): void {
    if (this.#closing !== undefined) return;
    const isFirst = !this.#outage.isNow;
    this.#outage.began(redis, reasonOf(error));
    if (isElsewhere(error)) reconnect(redis);
    if (!isFirst) return;
    // The same may have happened to the other: it is back when it has answered after this.
    for (const each of [this.#publisher, this.#subscriber]) this.#outage.began(each, reasonOf(error));
    this.#checkConnections();
  }

  async #listen(): Promise<void> {
    const redis = this.#subscriber;
    if (this.#listening) return;
    this.#listening = true;
    try {
      await (this.#sharded ? redis.ssubscribe(this.#channel) : redis.subscribe(this.#channel));
    } catch (error) {
      this.#failed(redis, error);
      return;
    } finally {
      this.#listening = false;
    }
    // The answer may have come with the end of the connection.
    if (redis.status !== 'ready') return;
    this.#subscribed = true;
    this.#outage.ended(redis);
    // Only now: what is announced from here on arrives, and what was announced before shows in the log.
    this.#gap();
  }

  #checkConnections(): void {
    const redis = this.#subscriber;
    if (this.#publisher.status === 'ready') void this.#probe();
    if (redis.status !== 'ready') return;
    if (!this.#subscribed) void this.#listen();
    else {
      redis.ping().then(
        () => this.#outage.ended(redis),
        (error: unknown) => this.#failed(redis, error),
      );
    }
  }

  /** A command with a key, where a PING would not do: it is answered only by who would take a message too. */
  async #probe(): Promise<void> {
    const redis = this.#publisher;
    try {
      await redis.exists(this.#channel);
      this.#outage.ended(redis);
    } catch (error) {
      this.#failed(redis, error);
    }
  }

  #receive(message: string): void {
    if (message.startsWith(this.#head)) return;
    let announcement: Announcement;
    try {
      announcement = decodeAnnouncement(message);
    } catch (error) {
      this.#reportUnreadable(error);
      for (const listener of this.#listeners) listener.onUnreadable?.();
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

  get isNow(): boolean {
    return this.#down.size > 0;
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

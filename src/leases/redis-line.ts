import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { isElsewhere, reasonOf, reconnect } from '../redis/connect.ts';
import { LeasesAway } from './port.ts';
import type { ScriptName } from './redis-scripts.ts';
import { ServerClock } from './server-clock.ts';

export interface LineOptions {
  readonly redis: Redis;
  /** The shards whose keys are where this connection goes. */
  readonly shards: readonly number[];
  readonly keysOf: (shard: number) => readonly [string, string];
  /** Left where there is none: a text that nobody ever had before. */
  readonly newMark: () => string;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly onDown: (error: LeasesAway) => void;
  /** What had been lost by then, if anything. */
  readonly onUp: (lost: string | undefined) => void;
  readonly onLost: (reason: string) => void;
}

/** Nothing takes longer than this. */
const OPERATION_MS = 3000;
/** How often a server that is connected, and yet of no use, is asked whether it is of use again. */
const PROBE_MS = 500;
/** Who has nothing to ask wants to know all the same. */
const QUIET_MS = 2000;
/** A slot that is moving can be asked again so soon. */
const MOVING_MS = 50;

type Script = (...args: readonly (string | number)[]) => Promise<unknown[]>;

/** One connection to one server with leases: whether it works, which server that is, and whether it still knows everything. */
export class Line {
  readonly #options: LineOptions;
  readonly #clock = new ServerClock();
  readonly #marks = new Map<number, string>();
  readonly #timer: NodeJS.Timeout;
  #state: 'new' | 'up' | 'down' | 'closed' = 'new';
  #server: string | undefined;
  /** Resolves once it is known whether the server can be reached. */
  readonly #known: Promise<void>;
  #settle = (): void => undefined;
  #probing = false;
  #answeredAt = -Infinity;

  constructor(options: LineOptions) {
    this.#known = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#options = options;
    const { redis } = options;
    redis.on('error', (error: unknown) => this.#down(error));
    redis.on('close', () => this.#down(new Error('the connection was closed')));
    redis.on('ready', () => void this.probe());
    this.#timer = setInterval(() => {
      if (this.#state !== 'up' || options.now() - this.#answeredAt > QUIET_MS) void this.probe();
    }, PROBE_MS).unref();
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Rejects with `LeasesAway`. What a lost server answers is given only after `onLost` was called. */
  async ask(script: ScriptName, shard: number, args: readonly (string | number)[]): Promise<unknown[]> {
    const deadline = this.#options.now() + OPERATION_MS;
    if (this.#state === 'new') await inTime(this.#known, OPERATION_MS).catch(() => undefined);
    if (this.#state !== 'up') throw new LeasesAway('Redis is away');
    try {
      const { answer, lost } = await this.#run(script, shard, args, deadline);
      if (lost !== undefined) {
        this.#options.onLost(lost);
        // The marks of the other shards are to be known before they can be lost again.
        void this.probe();
      }
      return answer;
    } catch (error) {
      throw this.#down(error);
    }
  }

  close(): void {
    this.#state = 'closed';
    clearInterval(this.#timer);
    this.#settle();
  }

  async #run(script: ScriptName, shard: number, args: readonly (string | number)[], deadline: number) {
    const { redis, keysOf, newMark, now } = this.#options;
    const run = (redis as unknown as Record<ScriptName, Script>)[script].bind(redis);
    for (;;) {
      const sent = now();
      try {
        const [server, clock, found, ...answer] = await inTime(
          run(...keysOf(shard), newMark(), ...args),
          deadline - sent,
        );
        this.#answeredAt = now();
        const lost = this.#compare(String(server), Number(clock), shard, String(found), sent);
        return { answer, lost };
      } catch (error) {
        // A slot that is on its way to another server is there in a moment.
        if (!/^(?:ASK|TRYAGAIN)\b/u.test((error as Error).message) || now() + MOVING_MS > deadline) throw error;
      }
      await sleep(MOVING_MS);
    }
  }

  /** What makes everything that this server says unreliable, if anything does since it was last asked. */
  #compare(server: string, clock: number, shard: number, mark: string, sent: number): string | undefined {
    const isOther = this.#server !== undefined && this.#server !== server;
    if (isOther) this.#clock.forget();
    this.#server = server;
    const wasSet = this.#clock.wasSet(clock, sent, this.#options.now());
    const known = this.#marks.get(shard);
    const isEmptied = known !== undefined && known !== mark;
    const lost = isOther
      ? 'another Redis, or one that was a replica since, has the leases'
      : isEmptied
        ? 'Redis has forgotten leases'
        : wasSet
          ? 'the clock of Redis was set'
          : undefined;
    if (lost !== undefined) this.#marks.clear();
    this.#marks.set(shard, mark);
    return lost;
  }

  /** Asks the server whether it is of use, and who it is. Never rejects. */
  async probe(): Promise<void> {
    const { redis, shards, now, onUp, onLost } = this.#options;
    if (this.#probing || redis.status !== 'ready') return;
    this.#probing = true;
    try {
      const deadline = now() + OPERATION_MS;
      const results = await Promise.all(shards.map((shard) => this.#run('leasesRead', shard, [], deadline)));
      const lost = results.find((result) => result.lost !== undefined)?.lost;
      if (this.#state === 'closed') return;
      const wasUp = this.#state === 'up';
      this.#state = 'up';
      this.#settle();
      if (!wasUp) onUp(lost);
      else if (lost !== undefined) onLost(lost);
    } catch (error) {
      this.#down(error);
    } finally {
      this.#probing = false;
    }
  }

  #down(error: unknown): LeasesAway {
    const away = new LeasesAway(`Redis is away: ${reasonOf(error)}`);
    const { redis, onDown } = this.#options;
    if (this.#state === 'closed') return away;
    if (isElsewhere(error)) reconnect(redis);
    if (this.#state === 'down') return away;
    this.#state = 'down';
    this.#settle();
    onDown(away);
    return away;
  }
}

async function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${OPERATION_MS} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

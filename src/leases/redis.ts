import { randomUUID } from 'node:crypto';
import { disconnect, openConnection } from '../redis/connect.ts';
import { redisTarget } from '../redis/url.ts';
import { LeasesAway, type Known, type Leases, type LeasesListener, type Note, type Renewal } from './port.ts';
import { Line } from './redis-line.ts';
import { SCRIPTS, type ScriptName } from './redis-scripts.ts';
import { SHARDS, shardOf } from './shard-of.ts';

export interface RedisLeasesOptions {
  /** As `readRedisUrl` reads it: one server, Sentinels, or a cluster. */
  readonly url: string;
  /** What the names of its keys begin with. */
  readonly prefix: string;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/** So many keys go into one call of a script: Lua passes on only so many arguments, and other clients wait meanwhile. */
const MAX_KEYS = 500;

/**
 * Leases in Redis, each in one of 16 shards by a hash of its key. A shard's keys have one slot, and so its scripts run in a cluster:
 * there each shard has a connection of its own, to its master, and otherwise one connection is for all.
 */
export function openRedisLeases(options: RedisLeasesOptions): Leases {
  return new RedisLeases(options);
}

class RedisLeases implements Leases {
  readonly #lines: readonly { readonly line: Line; readonly close: () => Promise<void> }[];
  readonly #lineOf: readonly Line[];
  #listener: LeasesListener | undefined;
  #isAway = false;
  #lost: string | undefined;
  #closing: Promise<unknown> | undefined;

  constructor({ url, prefix, now }: RedisLeasesOptions) {
    const target = redisTarget(url);
    const client = randomUUID();
    let marks = 0;
    const keysOf = (shard: number): [string, string] => [
      `${prefix}:{lease-${shard}}:heard`,
      `${prefix}:{lease-${shard}}:notes`,
    ];
    const all = Array.from({ length: SHARDS }, (_, shard) => shard);
    const groups = target.form === 'cluster' ? all.map((shard) => [shard]) : [all];
    this.#lines = groups.map((shards) => {
      const redis = openConnection({ target, name: 'signalbox-leases', key: keysOf(shards[0] ?? 0)[0] });
      for (const [name, lua] of Object.entries(SCRIPTS)) redis.defineCommand(name, { numberOfKeys: 2, lua });
      const line = new Line({
        redis,
        shards,
        keysOf,
        newMark: () => `${client}:${++marks}`,
        now,
        onDown: (error) => this.#down(error),
        onUp: (lost) => this.#up(lost),
        onLost: (reason) => this.#lose(reason),
      });
      return { line, close: () => disconnect(redis) };
    });
    this.#lineOf = all.flatMap((shard) => this.#lines[groups.findIndex((group) => group.includes(shard))]?.line ?? []);
  }

  listen(listener: LeasesListener): void {
    this.#listener = listener;
  }

  async renew(renewals: readonly Renewal[]): Promise<void> {
    const youngest = new Map<string, number>();
    for (const { key, age } of renewals) youngest.set(key, Math.min(age, youngest.get(key) ?? Infinity));
    await this.#each('leasesRenew', [...youngest.keys()], (keys) =>
      keys.map((key) => Math.max(0, Math.round(youngest.get(key) ?? 0))),
    );
  }

  async read(keys: readonly string[]): Promise<readonly Known[]> {
    const found = new Map<string, Known>();
    await this.#each('leasesRead', [...new Set(keys)], undefined, (asked, [since, ...answer]) => {
      asked.forEach((key, i) => {
        const note = (answer[2 * i + 1] ?? undefined) as string | undefined;
        found.set(key, { age: numberIn(answer[2 * i]), note, since: numberIn(since) });
      });
    });
    return keys.map((key) => found.get(key) ?? { age: undefined, note: undefined, since: undefined });
  }

  async note(notes: readonly Note[]): Promise<void> {
    const last = new Map(notes.map(({ key, note }) => [key, note]));
    await this.#each('leasesNote', [...last.keys()], (keys) => keys.map((key) => last.get(key) ?? ''));
  }

  async forget(keys: readonly string[]): Promise<void> {
    await this.#each('leasesForget', [...new Set(keys)]);
  }

  async sweep(olderThanMs: number): Promise<void> {
    this.#refuseWhileAway();
    await Promise.all(this.#lineOf.map((line, shard) => line.ask('leasesSweep', shard, [Math.round(olderThanMs)])));
  }

  async close(): Promise<void> {
    for (const { line } of this.#lines) line.close();
    this.#closing ??= Promise.all(this.#lines.map(({ close }) => close()));
    await this.#closing;
  }

  /** All scripts are on their way at once; ioredis answers them in turn. */
  async #each(
    script: ScriptName,
    keys: readonly string[],
    more: (keys: readonly string[]) => readonly (string | number)[] = () => [],
    take: (keys: readonly string[], answer: readonly unknown[]) => void = () => undefined,
  ): Promise<void> {
    this.#refuseWhileAway();
    const parts: Promise<void>[] = [];
    const shards = Array.from({ length: SHARDS }, (): string[] => []);
    for (const key of keys) shards[shardOf(key)]?.push(key);
    for (const [shard, all] of shards.entries()) {
      for (let from = 0; from < all.length; from += MAX_KEYS) {
        const part = all.slice(from, from + MAX_KEYS);
        const asked = this.#lineOf[shard]?.ask(script, shard, [...part, ...more(part)]);
        if (asked) parts.push(asked.then((answer) => take(part, answer)));
      }
    }
    await Promise.all(parts);
  }

  /** As one: who asks for many keys is helped little by some of the answers. */
  #refuseWhileAway(): void {
    if (this.#closing !== undefined) throw new LeasesAway('the leases were closed');
    if (this.#isAway) throw new LeasesAway('Redis is away');
  }

  #down(error: LeasesAway): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#listener?.onAway(error);
    // What one connection has found, such as another master, may be so for others too: then it is one outage, and one loss.
    for (const { line } of this.#lines) void line.probe();
  }

  #up(lost: string | undefined): void {
    this.#lost ??= lost;
    if (!this.#isAway || !this.#lines.every(({ line }) => line.isUp)) return;
    this.#isAway = false;
    this.#listener?.onBack();
    this.#tell();
  }

  #lose(reason: string): void {
    this.#lost ??= reason;
    if (!this.#isAway) this.#tell();
  }

  /** Before anything is answered: while they are away nothing is. */
  #tell(): void {
    const reason = this.#lost;
    this.#lost = undefined;
    if (reason !== undefined) this.#listener?.onLost(reason);
  }
}

const numberIn = (answer: unknown): number | undefined =>
  answer === null || answer === undefined ? undefined : Number(answer);

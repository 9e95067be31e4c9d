import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '../../src/domain/position.ts';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { freePort } from '../support/free-port.ts';
import { call, startSignalbox, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import type { MemberSpec } from './figures.ts';
import { MemberProcess } from './member-process.ts';
import type { Look, Record, ServerView, Told } from './record.ts';

export interface AbsenceOptions {
  readonly signal: 'SIGTERM' | 'SIGKILL';
  /** Milliseconds that Signalbox is away, at least. */
  readonly awayMs: number;
  /** Milliseconds between two calls of each member. */
  readonly everyMs: number;
  /** Of each lease, such as `10s`. */
  readonly ttl: string;
  /** Milliseconds between two lines of progress. */
  readonly lookMs: number;
  /** A directory that a node has used already, and which is not removed. Default: a new one, which takes some seconds. */
  readonly dataDir?: string;
  readonly onProgress: (line: string) => void;
}

const STOCK = 'stock.example.com';
const ORDERS = 'orders.example.com';
/** Copies are on the disk five seconds after what they hold has changed. */
const UNTIL_COPIED_MS = 7000;
const MAX_AGE_MS = 1000;
const RETURN_MS = 60_000;
const INSTANCES = { kind: 'instance' } as const;

/**
 * Two services that call each other, and Signalbox. It is stopped; meanwhile one instance is killed, and others start: a caller from
 * the copies on the disk, one that takes no copy as old as that, and a new instance. Then Signalbox comes back on what it had.
 */
export async function runAbsence(options: AbsenceOptions): Promise<Record> {
  const run = new Absence(options, await freePort());
  try {
    return await run.go();
  } finally {
    await run.end();
  }
}

class Absence {
  readonly #options: AbsenceOptions;
  readonly #port: number;
  readonly #home = temporaryDirectory();
  readonly #members: MemberProcess[] = [];
  readonly #looks: Look[] = [];
  #node: Signalbox | undefined;

  constructor(options: AbsenceOptions, port: number) {
    this.#options = options;
    this.#port = port;
  }

  async go(): Promise<Record> {
    const { signal, awayMs, lookMs } = this.#options;
    await this.#startNode();
    const stock = await Promise.all([0, 1, 2].map(() => this.#startOne({ service: STOCK, calls: ORDERS })));
    // Whoever asks all in turn meets the dead one more often than who prefers those that answer.
    const orders = [
      await this.#startOne({ service: ORDERS, calls: STOCK, balance: 'round-robin' }),
      await this.#startOne({ service: ORDERS, calls: STOCK }),
    ];
    const first = [...stock, ...orders];
    for (const member of first) member.go();
    await sleep(UNTIL_COPIED_MS);
    const before = await this.#look('before');
    const position = await this.#position();

    await this.#node?.stop(signal);
    const awayAt = Date.now();
    await this.#lookOn('away', awayAt + awayMs / 4);
    const dead = stock[0] as MemberProcess;
    await dead.kill();
    const killedAt = Date.now();
    await this.#look('killed');
    const [fromCopy, bounded, late] = await Promise.all([
      this.#startOne({ calls: STOCK, balance: 'round-robin' }),
      this.#startOne({ calls: STOCK, maxAge: MAX_AGE_MS }),
      this.#startOne({ service: STOCK, calls: ORDERS, startsAlone: true }),
    ]);
    for (const member of [fromCopy, bounded, late]) member.go();
    // However long they took to start, they are seen more than once.
    await this.#lookOn('one is dead', Math.max(awayAt + awayMs, Date.now() + 3 * lookMs));

    const returnAt = Date.now();
    await this.#startNode();
    const readyAt = Date.now();
    const told = await this.#tellFrom(position, readyAt);
    const live = [...stock.slice(1), late];
    const isListed = await this.#untilListed(live, readyAt);
    await until('all are told so', async () => this.#areTold(await this.#look('back'), live), RETURN_MS);
    const views = await this.#untilEqual();
    await sleep(1000);
    const after = await this.#look('after');
    return {
      options: this.#options,
      times: { awayAt, killedAt, returnAt, readyAt, ...isListed, equalAt: Date.now() - 1000 },
      ports: { dead: dead.port, late: late.port, stock: live.map(({ port }) => port) },
      members: { first: first.map(({ port }) => port), fromCopy: fromCopy.port, bounded: bounded.port },
      startedAt: { fromCopy: fromCopy.startedAt },
      maxAge: MAX_AGE_MS,
      before,
      after,
      looks: this.#looks,
      views,
      told: told(),
    };
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
    await this.#node?.stop('SIGKILL');
    this.#home.remove();
  }

  async #startNode(): Promise<void> {
    const env = { DATA_DIR: this.#options.dataDir ?? join(this.#home.path, 'data'), WATCH_HEARTBEAT: '1s' };
    this.#node = await startSignalbox({ env, port: this.#port, readyWithin: 120_000 });
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async #startOne(spec: Partial<MemberSpec> & Pick<MemberSpec, 'calls'>): Promise<MemberProcess> {
    const { everyMs, ttl } = this.#options;
    const directory = join(this.#home.path, 'copies');
    const member = new MemberProcess({ url: this.#url, directory, everyMs, ttl, ...spec });
    this.#members.push(member);
    return member.up();
  }

  async #look(when: string): Promise<Look> {
    const living = this.#members.filter(({ isAlive }) => isAlive);
    const figures = await Promise.all(
      living.map(async (member) => ({ port: member.port, spec: member.spec, figures: await member.figures() })),
    );
    const look = { when, at: Date.now(), members: figures };
    this.#looks.push(look);
    const answered = figures.reduce((sum, one) => sum + one.figures.answered, 0);
    const failures = figures.flatMap((one) => one.figures.failures);
    const stale = failures.filter(({ code }) => code === 'stale').length;
    const age = Math.max(...figures.map((one) => one.figures.callee.age));
    this.#options.onProgress(
      `${when}: ${answered} calls answered, ${failures.length - stale} failed so far, and ${stale} of who wants no old copy; the oldest copy is ${(age / 1000).toFixed(1)} s old`,
    );
    return look;
  }

  async #lookOn(when: string, deadline: number): Promise<void> {
    for (let left = deadline - Date.now(); left > 0; left = deadline - Date.now()) {
      await sleep(Math.min(left, this.#options.lookMs));
      await this.#look(when);
    }
  }

  async #position(): Promise<Position> {
    const client = await WatchClient.open(this.#url);
    const { epoch, revision } = client.welcome;
    await client.end();
    return { epoch, revision };
  }

  /** All that happened to instances since that position. */
  async #tellFrom(position: Position, readyAt: number): Promise<() => Told[]> {
    const client = await WatchClient.open(this.#url);
    await client.sync('since', INSTANCES, position);
    return () => {
      client.ws.terminate();
      return client.frames.flatMap((frame) => {
        if (frame.type === 'reset') throw new Error(`the log does not go back to where it was: ${frame.reason}`);
        if (frame.type !== 'change') return [];
        return frame.changes.map(({ op, value }) => ({
          readyAt,
          op,
          port: value?.['port'] as number | undefined,
          passing: value?.['passing'] as boolean | undefined,
        }));
      });
    };
  }

  async #untilListed(live: readonly MemberProcess[], readyAt: number): Promise<{ deadGoneAt: number; lateAt: number }> {
    const late = live.at(-1)?.port;
    const wanted = sorted(live.map(({ port }) => port));
    let lateAt = 0;
    await until(
      'the dead one is gone, and the late one is there',
      async () => {
        const { body } = await call(this.#url, 'GET', `/v1/services/${STOCK}/instances?passing=true`);
        const ports = (body.items as { port: number }[]).map(({ port }) => port);
        if (lateAt === 0 && late !== undefined && ports.includes(late)) lateAt = Date.now();
        return sorted(ports) === wanted;
      },
      RETURN_MS,
    );
    return { deadGoneAt: Math.max(Date.now(), readyAt), lateAt };
  }

  #areTold(look: Look, live: readonly MemberProcess[]): boolean {
    const wanted = sorted(live.map(({ port }) => port));
    return look.members
      .filter(({ spec }) => spec.calls === STOCK)
      .every(({ figures }) => sorted(figures.callee.ports) === wanted);
  }

  /** Asks the server and all members until they speak of the same revision, and answers what both said then. */
  async #untilEqual(): Promise<ServerView[]> {
    return until(
      'all caches are at the revision of the server',
      async () => {
        const look = await this.#look('back');
        const selects = new Map(
          look.members.flatMap(({ figures }) =>
            figures.caches.map(({ select }) => [JSON.stringify(select), select] as const),
          ),
        );
        const views: ServerView[] = [];
        for (const [key, select] of selects) {
          // Nobody who has watched before: what it is told is what the server has.
          const client = await WatchClient.open(this.#url);
          const topic = await client.sync('view', select);
          const synced = await client.next('synced', (frame) => frame.topic === topic);
          const { epoch } = client.welcome;
          await client.end();
          const caches = look.members.flatMap(({ port, figures }) =>
            figures.caches.filter((cache) => JSON.stringify(cache.select) === key).map((cache) => ({ port, ...cache })),
          );
          views.push({ topic, epoch, revision: synced.revision, digest: synced.digest ?? '', caches });
        }
        const isSame = views.every(({ revision, caches }) =>
          caches.every((cache) => cache.state === 'live' && cache.revision === revision),
        );
        if (!isSame) await sleep(200);
        return isSame ? views : undefined;
      },
      RETURN_MS,
    );
  }
}

const sorted = (ports: readonly number[]): string => ports.toSorted((a, b) => a - b).join(' ');

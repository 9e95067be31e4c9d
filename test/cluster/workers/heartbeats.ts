import { setTimeout as sleep } from 'node:timers/promises';
import { isNotNow } from '../../acceptance/not-now.ts';
import type { Random } from '../../support/random.ts';
import type { Answer } from '../../support/signalbox.ts';
import { ask } from '../ask.ts';
import type { Door } from '../subscriber.ts';
import type { Living } from './living.ts';
import { RenewalSockets } from './renewal-sockets.ts';

/** A renewal that is not answered by now is sent again, to somebody else. */
const PATIENCE_MS = 800;
const AGAIN_MS = 60;

export interface HeartbeatsOptions {
  /** Where instances register and renew. */
  readonly doors: readonly Door[];
  readonly everyMs: number;
  readonly random: Random;
}

/** How renewals are asked for; answers nothing when no answer came. */
type Ask = (url: string, ids: readonly string[]) => Promise<Pick<Answer, 'status' | 'body'> | undefined>;

/** An agent that keeps the leases of some instances, one by one or all at once, at any node; and at another one when that does not answer. */
export class Heartbeats {
  readonly living: readonly Living[];
  acknowledged = 0;
  failed = 0;
  readonly odd: Pick<Answer, 'status' | 'body'>[] = [];
  readonly #options: HeartbeatsOptions;
  readonly #underWay = new Map<Living, number>();

  constructor(living: readonly Living[], options: HeartbeatsOptions) {
    this.living = living;
    this.#options = options;
  }

  /** One by one. */
  async work(goOn: () => boolean): Promise<void> {
    const post: Ask = (url, [id]) => ask(url, 'POST', `/v1/instances/${id}/renew`, undefined, PATIENCE_MS);
    await Promise.all(this.living.map((one) => this.#again(goOn, (door) => this.#renew([one], post, door))));
  }

  async workInBulk(goOn: () => boolean): Promise<void> {
    const post: Ask = (url, instances) => ask(url, 'POST', '/v1/instances/renew', { instances }, PATIENCE_MS);
    await this.#again(goOn, (door) => this.#renew(this.living, post, door));
  }

  /** All at once, with frames on watch sockets. */
  async workOnSockets(goOn: () => boolean): Promise<void> {
    const sockets = new RenewalSockets();
    const send: Ask = (url, ids) => sockets.renew(url, ids, PATIENCE_MS);
    await this.#again(goOn, (door) => this.#renew(this.living, send, door));
    sockets.close();
  }

  /** From now on nothing renews it; resolves when nothing is under way that would. */
  async kill(one: Living): Promise<void> {
    while ((this.#underWay.get(one) ?? 0) > 0) await sleep(5);
    if (!one.isDead) one.die();
  }

  /** At any of them; when one does not answer, at another. */
  async #again(goOn: () => boolean, renew: (door: Door) => Promise<boolean>): Promise<void> {
    const { everyMs, random, doors } = this.#options;
    let silent: Door | undefined;
    while (goOn()) {
      const others = doors.filter((one) => one !== silent);
      const door = random.pick(others.length > 0 ? others : doors);
      const done = await renew(door);
      silent = done ? undefined : door;
      await sleep(done ? everyMs * (0.7 + random.next() * 0.6) : AGAIN_MS);
    }
  }

  /** Answers whether it worked. */
  async #renew(all: readonly Living[], renew: Ask, { url }: Door): Promise<boolean> {
    const those = all.filter((one) => !one.isDead);
    if (those.length === 0) return true;
    this.#count(those, 1);
    const sentAt = performance.now();
    const answer = await renew(
      url,
      those.map(({ id }) => id),
    );
    const unknown = unknownIn(answer, those);
    if (unknown === undefined) {
      this.failed += 1;
      if (answer === undefined) for (const one of those) one.unanswered();
      if (answer !== undefined && !isNotNow(answer)) this.odd.push(answer);
    } else {
      for (const one of those) if (!unknown.has(one.id)) one.renewed(sentAt);
      this.acknowledged += those.length - unknown.size;
      for (const one of those) if (unknown.has(one.id)) await this.#register(one);
    }
    this.#count(those, -1);
    return unknown !== undefined;
  }

  async #register(one: Living): Promise<void> {
    await one.registerAgain(this.#options.random.pick(this.#options.doors));
  }

  #count(those: readonly Living[], by: number): void {
    for (const one of those) this.#underWay.set(one, (this.#underWay.get(one) ?? 0) + by);
  }
}

/** The ids that have to register again; `undefined` when nothing was renewed. */
function unknownIn(
  answer: Pick<Answer, 'status' | 'body'> | undefined,
  those: readonly Living[],
): ReadonlySet<string> | undefined {
  if (answer?.status === 204) return new Set();
  if (answer?.status === 404) return new Set(those.map(({ id }) => id));
  return answer?.status === 200 ? new Set(answer.body.unknown as string[]) : undefined;
}

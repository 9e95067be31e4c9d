import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../acceptance/until.ts';
import { Random } from '../../support/random.ts';
import type { Answer } from '../../support/signalbox.ts';
import type { Asking, Life } from '../record.ts';
import type { Door } from '../subscriber.ts';
import { Attached } from './attached.ts';
import { Heartbeats } from './heartbeats.ts';
import { Listener } from './listener.ts';
import { Living } from './living.ts';

export const LEASE_MS = 3000;
const RENEW_MS = 600;
/** In one group, more than one dead at a time would be a mass failure (INS4). */
const GROUPS = ['fleet-a.example.com', 'fleet-b.example.com', 'fleet-c.example.com', 'fleet-d.example.com'];
const GROUP_SIZE = 6;
const CHECKED = ['checked-a.example.com', 'checked-b.example.com'];
const HERD = 'herd.example.com';
const HERD_SIZE = 10;
const MOVERS = 'movers.example.com';
const ATTACHED = 'attached.example.com';
/** Long enough that what can be told of a socket by its pings says something about the lease. */
const ATTACHED_LEASE_MS = 5000;
export const REGION = 'fleet';
/** Somebody whose death nobody notices comes back after this, and the validators say what was wrong. */
const UNNOTICED_MS = 45_000;

export const FLEET_SERVICES: readonly string[] = [...GROUPS, ...CHECKED, HERD, MOVERS, ATTACHED];

export interface FleetOptions {
  readonly doors: readonly Door[];
  readonly seed: number;
  /** Whether the log has had it out of service since the moment. */
  readonly isOut: (name: string, since: number) => boolean;
}

const LEASED = { type: 'ttl', ttl: `${LEASE_MS}ms` };
const HTTP = { type: 'http', path: '/', interval: '1s', timeout: '900ms', unhealthyAfter: 2, healthyAfter: 1 };

/**
 * All instances of a run: leased ones in groups, some that are checked, some that are attached to sockets, a herd that dies all at
 * once, and some that come and go.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #random: Random;
  readonly #groups: Heartbeats[] = [];
  readonly #checked: { readonly living: Living; readonly listener: Listener }[] = [];
  readonly #movers: Living[] = [];
  readonly #attached: Attached[] = [];
  #herd: Heartbeats | undefined;
  #port = 20_000;
  #goesOn = true;
  #work: Promise<unknown> = Promise.resolve();
  #isBeating = true;
  #beats: Promise<unknown> = Promise.resolve();
  moves = 0;

  private constructor(options: FleetOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    for (const service of GROUPS) fleet.#groups.push(fleet.#heartbeats(await fleet.#leased(service, GROUP_SIZE)));
    fleet.#herd = fleet.#heartbeats(await fleet.#leased(HERD, HERD_SIZE));
    fleet.#movers.push(...(await fleet.#leased(MOVERS, 4)));
    for (const service of CHECKED)
      for (let i = 0; i < GROUP_SIZE; i++) fleet.#checked.push(await fleet.#listening(service));
    const isBeating = (): boolean => fleet.#isBeating;
    for (let i = 0; i < GROUP_SIZE; i++) fleet.#attached.push(fleet.#attach());
    fleet.#beats = Promise.all([
      ...fleet.#attached.map((one) => one.work(isBeating)),
      ...fleet.#all.map((one, i) => {
        if (i % 3 === 0) return one.work(isBeating);
        return i % 3 === 1 ? one.workInBulk(isBeating) : one.workOnSockets(isBeating);
      }),
    ]);
    await until('all are attached', () => fleet.#attached.every(({ isThere }) => isThere));
    fleet.#work = Promise.all([
      ...fleet.#groups.map((one) => fleet.#die(one)),
      ...CHECKED.map((service) => fleet.#dieChecked(service)),
      ...fleet.#movers.map((one) => fleet.#move(one)),
      fleet.#dieAttached(),
    ]);
    return fleet;
  }

  /** What the validators read. */
  get lives(): Life[] {
    const leased = [...this.#groups, ...(this.#herd === undefined ? [] : [this.#herd])].flatMap(({ living }) => living);
    const others = [...this.#checked, ...this.#attached].map(({ living }) => living);
    return [...leased, ...this.#movers, ...others].map(({ life }) => life);
  }

  get herd(): string {
    return `${HERD}/${REGION}`;
  }

  get acknowledged(): number {
    return this.#all.reduce((sum, one) => sum + one.acknowledged, 0);
  }

  get failed(): number {
    return this.#all.reduce((sum, one) => sum + one.failed, 0);
  }

  get odd(): Pick<Answer, 'status' | 'body'>[] {
    return [...this.#all, ...this.#attached].flatMap(({ odd }) => odd);
  }

  get deaths(): number {
    return this.lives.reduce((sum, { deaths }) => sum + deaths.length, 0);
  }

  /** Most of the herd dies at once, for so long. */
  async stampede(forMs: number): Promise<void> {
    const herd = this.#herd;
    if (herd === undefined) return;
    const victims = herd.living.slice(0, -1);
    await Promise.all(victims.map((one) => herd.kill(one)));
    await sleep(forMs);
    for (const one of victims) await this.#comeBack(one);
  }

  /** Nobody dies or moves any more; those who are dead come back once that was noticed. */
  async stop(): Promise<void> {
    this.#goesOn = false;
    await this.#work;
  }

  /** Nobody renews or answers checks any more: for Signalbox, all are dead. */
  async close(): Promise<void> {
    this.#isBeating = false;
    await this.stop();
    await this.#beats;
    for (const { listener, living } of this.#checked) if (!living.isDead) await listener.die();
  }

  get #all(): Heartbeats[] {
    return this.#herd === undefined ? this.#groups : [...this.#groups, this.#herd];
  }

  #heartbeats(living: readonly Living[]): Heartbeats {
    const { doors } = this.#options;
    return new Heartbeats(living, { doors, everyMs: RENEW_MS, random: this.#random });
  }

  async #leased(service: string, count: number): Promise<Living[]> {
    const all: Living[] = [];
    for (let i = 0; i < count; i++) all.push(await this.#register(service, (this.#port += 1), LEASED));
    return all;
  }

  async #listening(service: string): Promise<{ living: Living; listener: Listener }> {
    const listener = await Listener.open();
    return { listener, living: await this.#register(service, listener.port, HTTP, listener.asked) };
  }

  #register(service: string, port: number, check: object, asked?: readonly Asking[]): Promise<Living> {
    const body = { service, protocol: 'http', address: '127.0.0.1', port, region: REGION, check };
    return Living.register(this.#random.pick(this.#options.doors), body, asked);
  }

  #attach(): Attached {
    const { doors } = this.#options;
    const check = { type: 'ttl', ttl: `${ATTACHED_LEASE_MS}ms` };
    const at = { address: '127.0.0.1', port: (this.#port += 1), region: REGION };
    return new Attached({ doors, body: { service: ATTACHED, protocol: 'http', ...at, check }, random: this.#random });
  }

  async #die(group: Heartbeats): Promise<void> {
    while (this.#goesOn) {
      await this.#pause(500 + this.#random.below(5000));
      if (!this.#goesOn) return;
      const victim = this.#random.pick(group.living);
      await group.kill(victim);
      await this.#noticed(victim);
      await this.#comeBack(victim);
    }
  }

  async #dieChecked(service: string): Promise<void> {
    const group = this.#checked.filter(({ living }) => living.life.group.startsWith(service));
    while (this.#goesOn) {
      await this.#pause(500 + this.#random.below(5000));
      if (!this.#goesOn) return;
      const { listener, living } = this.#random.pick(group);
      await listener.die();
      living.die();
      await this.#noticed(living);
      await listener.revive();
      living.revive();
    }
  }

  async #dieAttached(): Promise<void> {
    while (this.#goesOn) {
      await this.#pause(500 + this.#random.below(3000));
      if (!this.#goesOn) return;
      const victim = this.#random.pick(this.#attached);
      await victim.kill();
      await this.#noticed(victim.living);
      victim.revive();
    }
  }

  /** Deregisters, comes back, renews a little, and again. */
  async #move(one: Living): Promise<void> {
    const { doors } = this.#options;
    const mover = this.#heartbeats([one]);
    while (this.#goesOn) {
      const end = performance.now() + 1000 + this.#random.below(3000);
      await mover.work(() => this.#goesOn && performance.now() < end);
      await mover.kill(one);
      await one.deregister(this.#random.pick(doors));
      await sleep(this.#random.below(300));
      one.revive();
      const door = this.#random.pick(doors);
      while (!(await one.registerAgain(door))) await sleep(100);
      this.moves += 1;
    }
  }

  async #noticed(one: Living): Promise<void> {
    const since = one.death?.from ?? 0;
    const deadline = performance.now() + UNNOTICED_MS;
    while (!this.#options.isOut(one.life.name, since) && performance.now() < deadline) await sleep(100);
    await sleep(this.#random.below(1000));
  }

  async #comeBack(one: Living): Promise<void> {
    one.revive();
    await one.registerAgain(this.#random.pick(this.#options.doors));
  }

  async #pause(ms: number): Promise<void> {
    const end = performance.now() + ms;
    while (this.#goesOn && performance.now() < end) await sleep(50);
  }
}

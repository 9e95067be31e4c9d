import { expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import type { Announcement, Bus } from '../../src/bus/port.ts';
import type { Entry } from '../../src/domain/item.ts';
import type { Head, Position } from '../../src/domain/position.ts';
import type { Selector } from '../../src/domain/selector.ts';
import { poll } from '../../src/edge/long-poll.ts';
import { Hub } from '../../src/feed/hub.ts';
import { Tail } from '../../src/feed/tail.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { CountingMetrics } from '../support/counting-metrics.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { testPeer } from '../support/peer.ts';
import { histories } from '../support/histories.ts';
import { Random } from '../support/random.ts';
import { CheckedSubscription, Model } from './checked-client.ts';
import { randomEntries } from './random-entries.ts';
import { SELECTORS } from './random-items.ts';
import { SimClient, type World } from './sim-client.ts';

const NODES = 3;
const HISTORIES = histories(60, 1000);
const POLL = testPeer('poll');

/** A database whose reads take some time, in which everything else goes on. */
class SlowStore extends MemoryStore {
  readonly #random: Random;

  constructor(random: Random) {
    super(() => 0);
    this.#random = random;
  }

  override async head(): Promise<Head> {
    await this.#wait();
    return super.head();
  }

  override async changesSince(from: Position, limit: { entries: number; bytes: number }): Promise<Entry[]> {
    await this.#wait();
    return super.changesSince(from, limit);
  }

  async #wait(): Promise<void> {
    for (let turns = this.#random.below(12); turns > 0; turns--) await Promise.resolve();
  }
}

/** What a node is told of the others: some of it, some of it twice, in any order, at any time. */
class LateBus implements Bus {
  readonly state = 'here';
  readonly #random: Random;
  readonly #listeners: Parameters<Bus['subscribe']>[0][] = [];
  #under: Announcement[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  publish(): void {}

  subscribe(listener: Parameters<Bus['subscribe']>[0]): void {
    this.#listeners.push(listener);
  }

  send(announcement: Announcement): void {
    const random = this.#random;
    if (random.chance(0.3)) return;
    const { entries, ...bare } = announcement;
    this.#under.push(random.chance(0.2) || entries === undefined ? bare : announcement);
    if (random.chance(0.1)) this.#under.push(announcement);
  }

  deliver(): void {
    const [one] = this.#under.splice(this.#random.below(this.#under.length), 1);
    if (one !== undefined) for (const listener of this.#listeners) listener.onAnnouncement(one);
  }

  close(): Promise<void> {
    this.#under = [];
    this.#listeners.length = 0;
    return Promise.resolve();
  }
}

interface Node {
  readonly tail: Tail;
  readonly hub: Hub;
  readonly bus: LateBus;
}

/** Asks for changes, each time at another node. */
class MovingPoll {
  readonly #sim: ManyNodesSimulation;
  readonly #selector: Selector;
  #position: Position;
  #raw: EventEmitter | undefined;
  events = 0;
  turnedAway = 0;
  fault: unknown;

  constructor(sim: ManyNodesSimulation, selector: Selector) {
    this.#sim = sim;
    this.#selector = selector;
    const { epoch, revision } = sim.node().tail.head;
    this.#position = { epoch, revision };
  }

  ask(): void {
    if (this.#raw !== undefined) return;
    const raw = (this.#raw = new EventEmitter());
    const { hub } = this.#sim.node();
    const reply = { raw } as unknown as FastifyReply;
    poll(hub, { select: this.#selector, since: this.#position, waitMs: 60_000, peer: POLL, reply })
      .then((polled) => {
        this.#raw = undefined;
        if (polled.kind === 'turnedAway' || polled.kind === 'behind') return void (this.turnedAway += 1);
        if (polled.kind === 'startOver') {
          this.#sim.reasons.push(polled.reason);
          // It reads the state here, at this revision or later.
          const { epoch, revision } = hub.head;
          if (polled.reason !== 'fenced') expect(revision).toBeGreaterThanOrEqual(this.#position.revision);
          return void (this.#position = { epoch, revision });
        }
        if (polled.kind !== 'changes' && polled.kind !== 'nothing') throw new Error(`the poll is ${polled.kind}`);
        const { changes } = JSON.parse(`{${polled.kind === 'changes' ? polled.changes : '"changes":[]'}}`) as {
          changes: { op: string; key: string; revision: number }[];
        };
        const got = changes.map(({ op, key, revision }) => `${op} ${key}@${revision}`);
        expect(polled.to).toBeGreaterThanOrEqual(this.#position.revision);
        const wanted: string[] = [];
        for (let r = this.#position.revision + 1; r <= polled.to; r++) {
          wanted.push(...this.#sim.model.expected(r, this.#selector));
        }
        expect(got).toEqual(wanted);
        this.#position = { ...this.#position, revision: polled.to };
        this.events += got.length;
      })
      .catch((error: unknown) => (this.fault ??= error));
  }

  goAway(): void {
    this.#raw?.emit('close');
  }
}

class ManyNodesSimulation implements World {
  readonly random: Random;
  readonly store: SlowStore;
  readonly model = new Model();
  readonly metrics = new CountingMetrics();
  readonly nodes: Node[] = [];
  readonly clients: SimClient[] = [];
  readonly polls: MovingPoll[] = [];
  readonly reasons: string[] = [];
  now = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.store = new SlowStore(new Random(seed + 1_000_000));
  }

  node(): Node {
    return this.random.pick(this.nodes);
  }

  async start(): Promise<void> {
    for (let i = 0; i < NODES; i++) this.nodes.push(await this.#open());
  }

  async step(): Promise<void> {
    const { random, store } = this;
    const roll = random.below(100);
    const client = this.clients.length > 0 ? random.pick(this.clients) : undefined;
    this.now += random.below(100);
    if (random.chance(0.15)) this.#poll();
    if (roll < 25) await this.#write();
    else if (roll < 37) this.node().bus.deliver();
    else if (roll < 39)
      await this.node()
        .tail.catchUp()
        .catch(() => {});
    else if (roll < 45) this.node().hub.flush();
    else if (roll < 52 && this.clients.length < 6) this.clients.push(new SimClient(this));
    else if (roll < 60 && client !== undefined) this.#subscribe(client);
    else if (roll < 62 && client !== undefined) client.unsubscribe(random.pick([...client.subs.keys(), 's9']));
    else if (roll < 74 && client !== undefined) client.read(random.chance(0.7));
    else if (roll < 84 && client !== undefined) client.reconnect();
    else if (roll < 89) this.#beat();
    else if (roll < 90) store.failing = store.failing === false ? 'unavailable' : false;
    else if (roll < 91) await this.#trim();
    else if (roll < 92 && random.chance(0.15) && store.failing === false) await store.newEpoch();
    else if (roll < 93) await this.#replace(random.below(NODES), random.chance(0.5));
    else if (roll < 94) this.#fence();
    else for (let turns = 0; turns < 8; turns++) await Promise.resolve();
  }

  /** In the end every node knows everything, and so does everyone who watches. */
  async settle(): Promise<void> {
    this.store.failing = false;
    for (const { tail, hub } of this.nodes) {
      hub.unfence();
      // A run that is under way may still fail.
      await tail.catchUp().catch(() => {});
      await tail.catchUp();
    }
    const { revision } = await this.store.head();
    for (let round = 0; round < 40; round++) {
      for (const one of this.polls) one.ask();
      await new Promise((resolve) => setImmediate(resolve));
      for (const client of this.clients) client.read(true);
      if (round % 10 === 9) for (let slice = 0; slice < 10; slice++) this.#beat();
    }
    for (const one of this.polls) {
      one.goAway();
      if (one.fault !== undefined) throw one.fault;
    }
    for (const client of this.clients) {
      client.read(true);
      for (const { position } of client.subs.values()) expect(position).toBe(revision);
    }
  }

  async #open(): Promise<Node> {
    const tail = new Tail(this.store);
    const bus = new LateBus(this.random);
    await tail.open();
    const hub = new Hub({
      tail,
      store: this.store,
      limits: {
        maxQueuedBytes: 3000,
        maxSubscriptions: 16,
        maxSockets: 100,
        heartbeatMs: 1000,
        stallTimeoutMs: 3000,
        ringBytes: 8000,
      },
      metrics: this.metrics.hub,
      log: { warn: () => undefined, info: () => undefined },
      now: () => this.now,
      clock: () => 0,
      random: () => this.random.next(),
    });
    await hub.start({ entries: this.random.below(20), bytes: 1e6 });
    tail.listen(hub);
    tail.follow(bus, () => {});
    return { tail, hub, bus };
  }

  async #write(): Promise<void> {
    if (this.store.failing !== false) return;
    const writer = this.node();
    const { epoch, revision: base } = writer.tail.head;
    const { revision } = await this.store.head();
    const entries = base === revision ? randomEntries(this.random, this.model, base) : [];
    if (entries.length === 0 || !this.store.commitNow({ epoch, base, entries })) {
      return writer.tail.catchUp();
    }
    for (const entry of entries) this.model.record(entry);
    writer.tail.advance(entries);
    const news = { epoch, from: base + 1, to: base + entries.length, entries };
    for (const { bus } of this.nodes) if (bus !== writer.bus) bus.send(news);
  }

  #subscribe(client: SimClient): void {
    const id = `s${this.random.below(5)}`;
    const selector = this.random.pick(SELECTORS);
    client.read(true);
    const taken = [...client.subs.values()].some((sub) => JSON.stringify(sub.selector) === JSON.stringify(selector));
    if (!client.subs.has(id) && !taken) client.subscribe(id, selector, new CheckedSubscription(this.model, selector));
  }

  #beat(): void {
    this.now += 100;
    for (const client of this.clients) client.connection?.heard();
    for (const { hub } of this.nodes) hub.heartbeat();
  }

  async #trim(): Promise<void> {
    if (this.store.failing !== false) return;
    const { revision } = await this.store.head();
    const head = await this.store.trim({ maxAgeMs: -Math.max(0, revision - this.random.below(40)), maxBytes: 1e9 });
    this.node().tail.trimmed(head);
  }

  /** A node goes away, in good order or without a word, and another one takes its place. */
  async #replace(index: number, orderly: boolean): Promise<void> {
    if (this.store.failing !== false) return;
    const old = this.nodes[index] as Node;
    if (orderly) await old.hub.drain(0);
    await old.bus.close();
    this.nodes[index] = await this.#open();
    if (orderly) return;
    for (const client of this.clients) if (client.isOf(old.hub)) client.reconnect();
    for (const connection of old.hub.subscribers) connection.close(CLOSE.draining, '');
  }

  #fence(): void {
    const { hub } = this.node();
    if (hub.fenced) {
      hub.onReload('trimmed');
      hub.unfence();
    } else if (!this.nodes.some((node) => node.hub.fenced)) {
      hub.fence();
    }
  }

  #poll(): void {
    const { random } = this;
    if (this.polls.length < 4) this.polls.push(new MovingPoll(this, random.pick(SELECTORS)));
    const one = random.pick(this.polls);
    if (random.chance(0.3)) one.goAway();
    one.ask();
    if (one.fault !== undefined) throw one.fault;
  }
}

async function run(seed: number, steps: number): Promise<ManyNodesSimulation> {
  const sim = new ManyNodesSimulation(seed);
  await sim.start();
  for (let i = 0; i < steps; i++) await sim.step();
  await sim.settle();
  return sim;
}

test(
  'PUSH1 PUSH2 PUSH3 PUSH4 PUSH5 PUSH6 PUSH8 PUSH11 hold for those who move between nodes that lag behind one another',
  async () => {
    const seen = { events: 0, polled: 0, ahead: 0, behind: 0, reads: 0, turnedAway: 0 };
    const resumes = { memory: 0, log: 0, snapshot: 0 };
    const reasons = new Map<string, number>();
    await HISTORIES.play(async (seed) => {
      const sim = await run(seed, 300);
      for (const client of sim.clients) {
        for (const { events } of client.subs.values()) seen.events += events;
        seen.ahead += client.ahead;
        seen.behind += client.closes.filter((code) => code === CLOSE.behind).length;
      }
      for (const one of sim.polls) {
        seen.polled += one.events;
        seen.turnedAway += one.turnedAway;
      }
      seen.reads += sim.metrics.logReads;
      for (const from of ['memory', 'log', 'snapshot'] as const) resumes[from] += sim.metrics.resumes[from];
      for (const reason of [...sim.metrics.resets, ...sim.reasons]) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    });
    if (process.env['SIM_TELL'] !== undefined)
      process.stdout.write(`${JSON.stringify({ seen, resumes, reasons: [...reasons] })}\n`);
    // The log is never behind anybody, so nobody is told that they come from the future.
    expect(reasons.get('future')).toBeUndefined();
    if (HISTORIES.single) return;
    // Nothing of this would show in histories in which nothing happens.
    expect(seen.ahead).toBeGreaterThan(HISTORIES.seeds.length);
    expect(seen.behind).toBeGreaterThan(0);
    expect(seen.events).toBeGreaterThan(HISTORIES.seeds.length * 10);
    expect(seen.polled).toBeGreaterThan(HISTORIES.seeds.length * 5);
    for (const reason of ['epoch', 'trimmed', 'fenced']) expect([reason, reasons.has(reason)]).toEqual([reason, true]);
  },
  HISTORIES.timeoutMs,
);

import { describe, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import type { Selector } from '../../src/domain/selector.ts';
import { poll } from '../../src/edge/long-poll.ts';
import { Hub } from '../../src/feed/hub.ts';
import { Tail } from '../../src/feed/tail.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { histories } from '../support/histories.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { Random } from '../support/random.ts';
import { inertHubMetrics } from '../support/inert.ts';
import { CheckedSubscription, Model } from './checked-client.ts';
import { randomEntries } from './random-entries.ts';
import { SELECTORS } from './random-items.ts';
import { SimClient, type World } from './sim-client.ts';
import { testPeer } from '../support/peer.ts';

const PEER = testPeer();

/** A client that only polls: each answer is held against the model, and the next question starts where it ended. */
class SimPoll {
  readonly #sim: Simulation;
  readonly #selector: Selector;
  #position: number;
  #raw: EventEmitter | undefined;
  events = 0;
  fault: unknown;

  constructor(sim: Simulation, selector: Selector) {
    this.#sim = sim;
    this.#selector = selector;
    this.#position = sim.tail.head.revision;
  }

  ask(): void {
    if (this.#raw !== undefined) return;
    const raw = (this.#raw = new EventEmitter());
    const { hub, tail } = this.#sim;
    const since = { epoch: tail.head.epoch, revision: this.#position };
    const peer = { ...PEER, transport: 'poll' } as const;
    poll(hub, { select: this.#selector, since, waitMs: 60_000, peer, reply: { raw } as unknown as FastifyReply })
      .then((polled) => {
        this.#raw = undefined;
        if (polled.kind === 'startOver') return void (this.#position = tail.head.revision);
        if (polled.kind !== 'changes' && polled.kind !== 'nothing') throw new Error(`the poll is ${polled.kind}`);
        const { changes } = JSON.parse(`{${polled.kind === 'changes' ? polled.changes : '"changes":[]'}}`) as {
          changes: { op: string; key: string; revision: number }[];
        };
        const got = changes.map(({ op, key, revision }) => `${op} ${key}@${revision}`);
        expect(got).toEqual(this.#missed(polled.to));
        this.#position = polled.to;
        this.events += got.length;
      })
      .catch((error: unknown) => (this.fault ??= error));
  }

  goAway(): void {
    this.#raw?.emit('close');
  }

  /** What there is to tell up to the revision. */
  #missed(to: number): string[] {
    expect(to).toBeGreaterThanOrEqual(this.#position);
    const expected: string[] = [];
    for (let r = this.#position + 1; r <= to; r++) expected.push(...this.#sim.model.expected(r, this.#selector));
    return expected;
  }

  /** One that waits at the end has missed nothing. */
  check(): void {
    if (this.fault !== undefined) throw this.fault;
    if (this.#raw !== undefined) expect(this.#missed(this.#sim.tail.head.revision)).toEqual([]);
  }
}

class Simulation implements World {
  readonly random: Random;
  readonly store = new MemoryStore(() => 0);
  readonly tail = new Tail(this.store);
  readonly model = new Model();
  hub!: Hub;
  now = 0;
  clients: SimClient[] = [];
  polls: SimPoll[] = [];
  polledEvents = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  async start(): Promise<void> {
    await this.tail.open();
    this.hub = new Hub({
      tail: this.tail,
      store: this.store,
      limits: {
        maxQueuedBytes: 3000,
        maxSubscriptions: 16,
        maxSockets: 100,
        heartbeatMs: 1000,
        stallTimeoutMs: 3000,
        ringBytes: 8000,
      },
      metrics: inertHubMetrics(),
      log: { warn: () => undefined, info: () => undefined },
      now: () => this.now,
      clock: () => 0,
      random: () => this.random.next(),
    });
    this.tail.listen(this.hub);
  }

  node(): this {
    return this;
  }

  write(foreign: boolean): void {
    const { random, tail } = this;
    const base = tail.head.revision;
    const entries = randomEntries(random, this.model, base);
    if (!this.store.commitNow({ epoch: tail.head.epoch, base, entries }))
      throw new Error('the simulation lost its place');
    for (const entry of entries) this.model.record(entry);
    // A change of another node is only in the store until the log is read.
    if (!foreign) tail.advance(entries);
  }

  async step(): Promise<void> {
    const { random, tail } = this;
    const roll = random.below(100);
    const client = this.clients.length > 0 ? random.pick(this.clients) : undefined;
    this.now += random.below(100);
    if (random.chance(0.2)) this.poll();
    if (roll < 35) {
      const foreign = random.chance(0.2);
      this.write(foreign);
      this.store.failing = false;
      if (foreign) await this.catchUp();
    } else if (roll < 45) this.hub.flush();
    else if (roll < 55 && this.clients.length < 6) this.clients.push(new SimClient(this));
    else if (roll < 65 && client !== undefined) {
      const id = `s${random.below(6)}`;
      const selector = random.pick(SELECTORS);
      client.read(true);
      const taken = [...client.subs.values()].some((sub) => JSON.stringify(sub.selector) === JSON.stringify(selector));
      if (!client.subs.has(id) && !taken) client.subscribe(id, selector, new CheckedSubscription(this.model, selector));
    } else if (roll < 69 && client !== undefined) client.unsubscribe(random.pick([...client.subs.keys(), 's9']));
    else if (roll < 82 && client !== undefined) client.read(random.chance(0.6));
    else if (roll < 86 && client !== undefined) client.reconnect();
    else if (roll < 92) {
      this.now += 100;
      for (const each of this.clients) each.connection?.heard();
      this.hub.heartbeat();
    } else if (roll < 94) {
      this.store.failing = false;
      tail.trimmed(
        await this.store.trim({ maxAgeMs: -Math.max(0, tail.head.revision - random.below(60)), maxBytes: 1e9 }),
      );
    } else if (roll < 95 && random.chance(0.1)) {
      this.store.failing = false;
      await this.store.newEpoch();
      await this.catchUp();
    } else if (roll < 96)
      this.store.failing = this.store.failing === false && random.chance(0.3) ? 'unavailable' : false;
    else {
      this.store.failing = false;
      for (let i = 0; i < 4; i++) await Promise.resolve();
    }
    this.store.failing = roll >= 94 && roll < 96 ? this.store.failing : false;
  }

  /** A run that is under way, for somebody who is ahead, may have asked for the head before. */
  async catchUp(): Promise<void> {
    await this.tail.catchUp();
    await this.tail.catchUp();
  }

  poll(): void {
    const { random } = this;
    if (this.polls.length < 6) this.polls.push(new SimPoll(this, random.pick(SELECTORS)));
    const one = random.pick(this.polls);
    if (random.chance(0.2)) one.goAway();
    one.ask();
    if (one.fault !== undefined) throw one.fault;
  }

  /** In the end everyone reads all there is, and everyone knows the final state. */
  async settle(): Promise<number> {
    this.store.failing = false;
    for (let round = 0; round < 20; round++) {
      for (const one of this.polls) one.ask();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const one of this.polls) one.check();
    for (const one of this.polls) one.goAway();
    this.polledEvents = this.polls.reduce((sum, one) => sum + one.events, 0);
    for (let round = 0; round < 50; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      for (const client of this.clients) client.read(true);
    }
    for (let round = 0; round < 3; round++) {
      for (const client of this.clients) client.connection?.heard();
      for (let slice = 0; slice < 10; slice++) this.hub.heartbeat();
      for (const client of this.clients) client.read(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    let events = 0;
    for (const client of this.clients) {
      client.read(true);
      for (const sub of client.subs.values()) {
        expect(sub.position).toBe(this.tail.head.revision);
        events += sub.events;
      }
    }
    return events;
  }
}

async function run(seed: number, steps: number): Promise<{ events: number; sim: Simulation }> {
  const sim = new Simulation(seed);
  await sim.start();
  for (let i = 0; i < steps; i++) await sim.step();
  return { events: await sim.settle(), sim };
}

const HISTORIES = histories(100, 1000);

describe('the feed under random histories', () => {
  test(
    'PUSH1 PUSH2 PUSH3 PUSH4 PUSH5 PUSH6 PUSH7 PUSH8 hold for every subscription of random histories',
    async () => {
      let events = 0;
      let polled = 0;
      await HISTORIES.play(async (seed) => {
        const done = await run(seed, 250);
        events += done.events;
        polled += done.sim.polledEvents;
      });
      expect(events).toBeGreaterThan(HISTORIES.single ? -1 : 1000);
      expect(polled).toBeGreaterThan(HISTORIES.single ? -1 : 1000);
    },
    HISTORIES.timeoutMs,
  );

  test('PUSH9: a socket that never reads is cut off with a position, and costs a bounded queue', async () => {
    const sim = new Simulation(7);
    await sim.start();
    const client = new SimClient(sim);
    client.subscribe('s', { kind: '*' }, new CheckedSubscription(sim.model, { kind: '*' }));
    let largest = 0;
    for (let i = 0; i < 2000 && client.socket.closed === undefined; i++) {
      sim.write(false);
      sim.hub.flush();
      sim.now += 10;
      client.connection?.heard();
      sim.hub.heartbeat();
      largest = Math.max(largest, client.socket.queued);
    }
    expect(client.socket.closed?.code).toBe(CLOSE.tooSlow);
    const { epoch, revision } = JSON.parse(client.socket.closed?.reason ?? '{}') as { epoch: string; revision: number };
    expect(epoch).toBe(sim.tail.head.epoch);
    expect(revision).toBeGreaterThan(0);
    expect(revision).toBeLessThan(sim.tail.head.revision);
    // The bound, and at most one flush beyond it.
    expect(largest).toBeLessThan(3000 + 6000);
  });
});

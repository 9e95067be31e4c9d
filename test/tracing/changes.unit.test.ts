import { expect, test } from '@jest/globals';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base';
import { InProcessNetwork } from '../../src/bus/in-process.ts';
import { MAX_TRACES, type Announcement, type Bus } from '../../src/bus/port.ts';
import type { CatalogCommand } from '../../src/domain/command.ts';
import { Hub } from '../../src/feed/hub.ts';
import { Tail } from '../../src/feed/tail.ts';
import { CommitLoop } from '../../src/registry/commit-loop.ts';
import { Commits } from '../../src/tracing/commits.ts';
import { Deliveries } from '../../src/tracing/deliveries.ts';
import { rooted } from '../../src/tracing/rooted.ts';
import { rootsOf } from '../../src/tracing/roots.ts';
import { commandOf, put, region, validate } from '../domain/world.ts';
import { inertHubMetrics } from '../support/inert.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { turns } from '../support/turns.ts';
import { recorded, traceparent, type Told } from './recorded.ts';

const now = (): number => performance.now();
const LIMITS = { maxQueuedBytes: 1e6, maxSubscriptions: 8, maxSockets: 8, heartbeatMs: 1000, stallTimeoutMs: 1000 };

interface Node {
  readonly loop: CommitLoop;
  readonly tail: Tail;
  readonly hub: Hub;
  readonly deliveries: Deliveries;
  readonly finished: () => Told[];
}

/** A node as main wires it, with spans that stay here. */
async function node(store: MemoryStore, bus: Bus): Promise<Node> {
  const { tracer, finished } = recorded();
  const deliveries = new Deliveries(tracer);
  const tail = new Tail(store);
  const log = { warn: () => undefined, info: () => undefined };
  const more = { metrics: inertHubMetrics(), log, now, clock: Date.now, random: Math.random, traces: deliveries };
  const hub = new Hub({ tail, store, limits: { ...LIMITS, ringBytes: 1e6 }, ...more });
  await tail.open(() => {
    tail.listen(deliveries);
    tail.listen(hub);
    return Promise.resolve();
  });
  bus.subscribe(deliveries);
  tail.follow(bus, (error) => expect(error).toBeUndefined());
  const limits = { maxPending: 1000, timeoutMs: 10_000 };
  const traces = new Commits({ tracer, deliveries, now });
  const loop = new CommitLoop({
    store,
    ledger: tail,
    bus,
    validate,
    limits,
    metrics: { batch: () => undefined },
    now,
    traces,
  });
  return { loop, tail, hub, deliveries, finished };
}

/** Hears what nodes tell each other. */
class Ear {
  readonly heard: Announcement[] = [];

  constructor(bus: Bus) {
    bus.subscribe({ onAnnouncement: (news) => this.heard.push(news), onGap: () => undefined });
  }
}

async function nodes(): Promise<{ store: MemoryStore; a: Node; b: Node; ear: Ear; bus: Bus }> {
  const store = new MemoryStore();
  const network = new InProcessNetwork();
  const bus = network.join();
  const ear = new Ear(bus);
  return { store, a: await node(store, network.join()), b: await node(store, network.join()), ear, bus };
}

const traced = (id: string, trace?: string): CatalogCommand => ({
  ...(commandOf([put(region(id))]) as CatalogCommand),
  ...(trace !== undefined && { trace }),
});
const named = (told: readonly Told[], name: string): Told[] => told.filter((span) => span.name === name);

test('each traced command of a batch has a commit span of its own, and is delivered in its own trace', async () => {
  const { a, b, ear } = await nodes();
  const commands = Array.from({ length: 20 }, (_, i) => traced(`r${i}`, i < 12 ? traceparent(i + 1) : undefined));
  const verdicts = await Promise.all(commands.map((command) => a.loop.execute(command)));
  await turns();
  const commits = named(a.finished(), 'commit');
  expect(commits.map(({ trace }) => trace)).toEqual(
    Array.from({ length: 12 }, (_, i) => traceparent(i + 1).slice(3, 35)),
  );
  expect(commits.map(({ parent }) => parent)).toEqual(
    Array.from({ length: 12 }, (_, i) => traceparent(i + 1).slice(36, 52)),
  );
  for (const [i, commit] of commits.entries()) {
    const { revision } = verdicts[i] as { revision: number };
    expect(commit).toMatchObject({
      'signalbox.revision': revision,
      'signalbox.changes': 1,
      'signalbox.commands': 20,
      'signalbox.outcome': 'committed',
    });
    const here = named(a.finished(), 'deliver').filter(({ trace }) => trace === commit.trace);
    expect(here).toMatchObject([{ parent: commit.id, 'signalbox.revision': revision }]);
  }
  // Other nodes are told of as many as an announcement may carry.
  expect(ear.heard.map(({ trace }) => trace?.length)).toEqual([MAX_TRACES]);
  const received = named(b.finished(), 'receive');
  expect(received.map(({ parent }) => parent)).toEqual(commits.slice(0, MAX_TRACES).map(({ id }) => id));
  expect(named(b.finished(), 'deliver').map(({ parent }) => parent)).toEqual(received.map(({ id }) => id));
  expect([a.deliveries.waiting, b.deliveries.waiting]).toEqual([false, false]);
});

test('what is not traced leaves no mark: neither a span nor anything on the bus', async () => {
  const { a, b, ear } = await nodes();
  await a.loop.execute(traced('r1'));
  await turns();
  expect([...a.finished(), ...b.finished()]).toEqual([]);
  expect(ear.heard).toHaveLength(1);
  expect(ear.heard[0]).not.toHaveProperty('trace');
});

test('what changes nothing, is refused or fails says so, and nothing is delivered', async () => {
  const { store, a, ear } = await nodes();
  await a.loop.execute(traced('r1'));
  await a.loop.execute(traced('r1', traceparent(1)));
  await a.loop.execute({ ...traced('r1', traceparent(2)), expect: 'absent' });
  store.failing = 'unavailable';
  await expect(a.loop.execute(traced('r3', traceparent(3)))).rejects.toThrow();
  await turns();
  const [unchanged, refused, failed, ...more] = a.finished();
  expect(more).toEqual([]);
  expect(unchanged).toMatchObject({ name: 'commit', 'signalbox.outcome': 'unchanged', 'signalbox.changes': 0 });
  expect(refused).toMatchObject({ 'signalbox.outcome': 'precondition-failed', failed: false });
  expect(failed).toMatchObject({ 'signalbox.outcome': 'store-unavailable', failed: true });
  expect(ear.heard.filter(({ trace }) => trace !== undefined)).toEqual([]);
});

test('news without its entries is received when the log has been read, and news that comes late or twice is known', async () => {
  const { store, b, bus } = await nodes();
  const trace = [{ revision: 1, parent: traceparent(7) }];
  const entry = { revision: 1, at: 1, author: 'x', changes: [] };
  store.commitNow({ epoch: 'e1', base: 0, entries: [entry] });
  bus.publish({ epoch: 'e1', from: 1, to: 1, trace });
  bus.publish({ epoch: 'e1', from: 1, to: 1, trace });
  await turns();
  bus.publish({ epoch: 'e1', from: 1, to: 1, trace });
  await turns();
  const outcomes = named(b.finished(), 'receive').map((span) => span['signalbox.outcome']);
  expect(outcomes).toEqual(['abandoned', 'folded', 'known']);
  expect(named(b.finished(), 'deliver')).toHaveLength(1);
});

test('a reload abandons what was on its way, and what never comes is forgotten', async () => {
  const { tracer, finished } = recorded();
  const deliveries = new Deliveries(tracer);
  const news = (revision: number) => ({ trace: [{ revision, parent: traceparent(1) }] });
  deliveries.onAnnouncement(news(1));
  deliveries.onAdvance([{ entry: { revision: 1 } }]);
  deliveries.onAnnouncement(news(3));
  expect(deliveries.waiting).toBe(true);
  deliveries.onReload();
  expect(deliveries.waiting).toBe(false);
  const abandoned = finished().filter((span) => span['signalbox.outcome'] === 'abandoned');
  expect(abandoned.map(({ name }) => name).toSorted()).toEqual(['deliver', 'receive']);
  const before = finished().length;
  for (let revision = 1; revision <= 3000; revision++) deliveries.onAnnouncement(news(revision));
  // All but a bounded number have been given up.
  expect(finished().length - before).toBe(3000 - 1024);
});

test('what Signalbox does by itself begins a trace where the sampler says so, with whatever else it is asked with', async () => {
  const asked: unknown[] = [];
  const registry = {
    execute: (command: { readonly edits: number; readonly trace?: string }, options?: { readonly fence: number }) => {
      asked.push([command, options]);
      return Promise.resolve({ ok: true, revision: 1, changes: [] } as const);
    },
  };
  const on = recorded();
  await rooted(rootsOf(on.tracer), 'health decision', registry).execute({ edits: 1 }, { fence: 4 });
  const [span] = on.finished();
  expect(span).toMatchObject({ name: 'health decision', parent: undefined, 'signalbox.outcome': 'ok' });
  expect(asked).toEqual([[{ edits: 1, trace: `00-${span?.trace}-${span?.id}-01` }, { fence: 4 }]]);
  const off = recorded(new AlwaysOffSampler());
  await rooted(rootsOf(off.tracer), 'health decision', registry).execute({ edits: 2 }, { fence: 5 });
  expect(asked[1]).toEqual([{ edits: 2 }, { fence: 5 }]);
  expect(off.finished()).toEqual([]);
});

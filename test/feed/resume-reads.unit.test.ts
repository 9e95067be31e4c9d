import { beforeEach, expect, test } from '@jest/globals';
import { Cache } from '../../src/sdk/cache/cache.ts';
import type { Announcement, Bus } from '../../src/bus/port.ts';
import { CountedStore } from '../support/counted-store.ts';
import { CountingMetrics } from '../support/counting-metrics.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { testPeer } from '../support/peer.ts';
import { LiveNode } from './live-node.ts';
import { entriesSince } from '../support/entries-since.ts';
import { turns } from '../support/turns.ts';

let store: CountedStore;
let metrics: CountingMetrics;
/** Where everything is written. */
let writer: LiveNode;

beforeEach(async () => {
  store = new CountedStore();
  metrics = new CountingMetrics();
  writer = await LiveNode.bare({}, { store });
});

const bare = (limits = {}): Promise<LiveNode> =>
  LiveNode.bare({ heartbeatMs: 60_000, maxSockets: 2000, ...limits }, { store, metrics: metrics.hub });
function watch(node: LiveNode, since?: number): ListeningSocket {
  const listening = new ListeningSocket();
  const connection = node.hub.connect(listening, testPeer());
  connection?.subscribe({
    id: '1',
    select: { kind: '*' },
    ...(since !== undefined && { since: { epoch: 'e1', revision: since } }),
  });
  return listening;
}

const heard = (listening: ListeningSocket): string[] =>
  listening.of('change').flatMap(({ changes }) => changes.map(({ key, revision }) => `${key}@${revision}`));

test('PUSH5 five hundred who resume from recent positions cost the database nothing, after a start and ever after', async () => {
  for (let i = 1; i <= 60; i++) await writer.put(`regions/r${i}`);
  const node = await bare();
  store.countAnew();
  await node.hub.start({ entries: 40, bytes: 1e6 });
  expect([metrics.logReads, store.reads]).toEqual([1, { head: 0, changes: 1, load: 0 }]);
  metrics.logReads = 0;
  store.countAnew();
  const sockets = Array.from({ length: 500 }, (_, i) => watch(node, 20 + (i % 41)));
  expect(sockets.every((one) => one.of('synced').length === 1)).toBe(true);
  expect(heard(sockets[0] as ListeningSocket)).toHaveLength(40);
  expect(metrics).toMatchObject({ logReads: 0, resets: [], resumes: { memory: 500, log: 0, snapshot: 0 } });
  // And in steady state, behind what comes by itself.
  for (let i = 61; i <= 70; i++) await node.put(`regions/r${i}`);
  store.countAnew();
  const later = Array.from({ length: 500 }, (_, i) => watch(node, 20 + (i % 51)));
  expect(later.every((one) => one.of('synced').length === 1)).toBe(true);
  const read = await node.hub.history.read({ epoch: 'e1', revision: 30 }, { entries: 100, bytes: 1e6 });
  expect(read.kind === 'changes' && read.entries).toHaveLength(40);
  expect(metrics).toMatchObject({ logReads: 0, resumes: { memory: 1000 } });
  expect(store.reads).toEqual({ head: 0, changes: 0, load: 0 });
});

test('PUSH5 those who were away for longer share a read, and those whom the log cannot help get the state', async () => {
  for (let i = 1; i <= 30; i++) await writer.put(`regions/r${i}`);
  await store.trim({ maxAgeMs: Number.NEGATIVE_INFINITY, maxBytes: 2000 });
  const node = await bare();
  const { trimmed } = node.tail.head;
  expect(trimmed).toBeGreaterThan(5);
  const old = Array.from({ length: 50 }, () => watch(node, trimmed));
  const older = Array.from({ length: 50 }, () => watch(node, trimmed - 1));
  const fresh = watch(node);
  await turns();
  expect([...old, ...older, fresh].every((one) => one.of('synced').length === 1)).toBe(true);
  // Who comes without a position resumes nothing.
  expect(metrics).toMatchObject({ logReads: 1, resumes: { memory: 0, log: 50, snapshot: 50 } });
});

test('PUSH9 of those who come from many old positions only two are read for at once, and all are caught up', async () => {
  for (let i = 1; i <= 30; i++) await writer.put(`regions/r${i}`);
  const node = await bare();
  let open = (): void => undefined;
  store.gate = new Promise((resolve) => (open = resolve));
  store.countAnew();
  const sockets = Array.from({ length: 60 }, (_, i) => watch(node, i % 30));
  await turns();
  expect([store.reads.changes, metrics.logReads]).toEqual([2, 2]);
  open();
  await turns();
  expect([store.reads.changes, metrics.logReads, metrics.resets]).toEqual([30, 30, []]);
  sockets.forEach((one, i) => expect(heard(one)).toHaveLength(30 - (i % 30)));
});

type Listener = Parameters<Bus['subscribe']>[0];

/** Delivers what it is told to, and nothing else. */
class LossyBus implements Bus {
  readonly state = 'here';
  readonly #listeners: Listener[] = [];

  publish(): void {}

  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
  }

  deliver(announcement: Announcement): void {
    for (const listener of this.#listeners) listener.onAnnouncement(announcement);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

test('PUSH3 PUSH11 watchers heal after the node lost an event: by the next one that comes, and by the tick if none does', async () => {
  const node = await bare();
  const bus = new LossyBus();
  node.tail.follow(bus, () => {});
  await turns();
  const one = watch(node);
  const announce = async (revision: number): Promise<void> => {
    const entries = await entriesSince(store, revision - 1, { entries: 1, bytes: 1e6 });
    bus.deliver({ epoch: 'e1', from: revision, to: revision, entries });
  };
  await writer.put('regions/aa');
  await announce(1);
  // Two are lost, then one comes that does not continue what is here.
  for (const id of ['bb', 'cc', 'dd']) await writer.put(`regions/${id}`);
  await turns();
  expect(heard(one)).toEqual(['regions/aa@1']);
  await announce(4);
  await turns();
  expect(heard(one)).toEqual(['regions/aa@1', 'regions/bb@2', 'regions/cc@3', 'regions/dd@4']);
  // The last one is lost, and nothing comes after it.
  await writer.put('regions/ee');
  await turns();
  expect(heard(one)).toHaveLength(4);
  await node.tail.catchUp();
  await turns();
  expect(heard(one).at(-1)).toBe('regions/ee@5');
  // What comes late is not told twice.
  await announce(5);
  await announce(3);
  await turns();
  expect(heard(one)).toHaveLength(5);
  expect(one.of('reset')).toEqual([]);
});

test('PUSH8 a view that is wrong shows in the digests, to whoever knows better', async () => {
  await writer.put('regions/us');
  const node = await bare();
  const cache = new Cache();
  let read = 0;
  const fold = (listening: ListeningSocket): string[] => {
    const events: string[] = [];
    for (const frame of listening.said.slice(read)) {
      if (frame.type === 'welcome') cache.connected(frame.epoch);
      else if (frame.type === 'subscribed') cache.subscribed(frame.topic);
      else if ('digest' in frame || 'digests' in frame || frame.type === 'snapshot' || frame.type === 'change') {
        events.push(...cache.fold(frame).map((event) => (event.type === 'changes' ? event.of : event.type)));
      }
    }
    read = listening.frames.length;
    return events;
  };
  const first = watch(writer);
  await writer.put('regions/eu');
  writer.hub.flush();
  expect(fold(first)).toEqual(['loaded', 'changed']);
  read = 0;
  // The other node has heard of everything, and folded it wrongly: a resource is missing, and nothing else tells of it.
  await node.tail.catchUp();
  node.tail.view.fold([{ op: 'delete', kind: 'region', name: 'regions/us', was: {} }]);
  const second = watch(node, cache.since?.revision);
  expect(fold(second)).toEqual(['mismatch']);
  expect(cache.since).toBeUndefined();
  // A node that has the truth mends the copy.
  read = 0;
  const third = watch(writer, undefined);
  expect(fold(third)).toEqual(['reloaded']);
  expect([cache.since, cache.snapshot?.size]).toEqual([{ epoch: 'e1', revision: 2 }, 2]);
});

import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import type { Select } from '../../src/protocol/frames.ts';
import type { Carrier } from '../../src/sdk/connection/link.ts';
import { eventStreamCarrier } from '../../src/sdk/links/event-stream.ts';
import { longPollCarrier } from '../../src/sdk/links/long-poll.ts';
import { until } from '../acceptance/until.ts';
import { LiveNode, type NodeOptions } from '../feed/live-node.ts';
import { startProxy } from '../support/half-open.ts';
import { freePort } from '../support/free-port.ts';
import { digestIn, LinkPeer } from './link-peer.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

/** Three of them are longer than this process may be kept waiting. */
const HEARTBEAT_MS = 400;
const deps = { fetch: (...args: Parameters<typeof fetch>) => fetch(...args), now: () => performance.now() };
const CARRIERS: readonly [Carrier['name'], Carrier][] = [
  ['event-stream', eventStreamCarrier(deps)],
  ['long-poll', longPollCarrier(deps, { waitMs: HEARTBEAT_MS })],
];

async function open(options: NodeOptions = {}): Promise<LiveNode> {
  const node = await LiveNode.open({ ...options, limits: { heartbeatMs: HEARTBEAT_MS, ...options.limits } });
  leftovers.push(() => node.close());
  return node;
}

function link(carrier: Carrier, url: string, options: Parameters<typeof LinkPeer.open>[2] = {}): LinkPeer {
  const peer = LinkPeer.open(carrier, url, options);
  leftovers.push(() => peer.link.close());
  return peer;
}

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  leftovers.push(() => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const REGIONS: Select = { kind: 'region' };
const agrees = (peer: LinkPeer, node: LiveNode, select: Select) =>
  until('the copy to agree', () => peer.position?.revision === node.head).then(() =>
    expect(peer.digest).toBe(digestIn(node.tail.view, select)),
  );

describe.each(CARRIERS)('%s', (name, carrier) => {
  test('PUSH1 PUSH7 brings what a socket brings: welcome, subscribed, a snapshot, synced, then changes', async () => {
    const node = await open();
    await node.put('regions/us');
    await node.put('regions/eu');
    const peer = link(carrier, node.url);
    expect(peer.frames).toEqual([]);
    const welcome = await peer.next('welcome');
    expect(welcome).toMatchObject({ protocol: 1, epoch: 'e1', revision: 2 });
    peer.subscribe(REGIONS);
    const synced = await peer.next('synced');
    expect(peer.types.filter((type) => type !== 'bookmark')).toEqual(['welcome', 'subscribed', 'snapshot', 'synced']);
    expect(peer.frames[1]).toEqual({ type: 'subscribed', id: '1', topic: 'region' });
    expect(synced.digest === undefined).toBe(name === 'long-poll');
    await node.put('regions/us', { title: 'more' });
    await node.put('projects/core', { title: 'Core' });
    await node.delete('regions/eu');
    await agrees(peer, node, REGIONS);
    const keys = peer.frames.flatMap((frame) =>
      frame.type === 'change' ? frame.changes.map(({ op, key, revision }) => `${op} ${key}@${revision}`) : [],
    );
    expect(keys).toEqual(['put regions/us@3', 'delete regions/eu@5']);
    expect(peer.heard).toBeGreaterThan(0);
  });

  test('PUSH5 goes on from a position, and starts over from one that is not in the log (REV4)', async () => {
    const node = await open();
    await node.put('regions/us');
    const since = { epoch: 'e1', revision: node.head };
    await node.put('regions/eu');
    const peer = link(carrier, node.url);
    peer.subscribe(REGIONS, since);
    await peer.next('synced');
    expect(peer.types.filter((type) => type !== 'bookmark')).toEqual(['welcome', 'subscribed', 'change', 'synced']);
    const other = link(carrier, node.url);
    other.subscribe(REGIONS, { epoch: 'other', revision: 1 });
    expect(await other.next('reset')).toEqual({ type: 'reset', topic: 'region', epoch: 'e1', reason: 'epoch' });
    await agrees(other, node, REGIONS);
    expect(other.types.slice(0, 5)).toEqual(['welcome', 'subscribed', 'reset', 'snapshot', 'synced']);
  });

  test('PUSH3 an instance that stops matching is a delete, whatever the selection asks for', async () => {
    const node = await open();
    const here = { environment: 'prod', region: 'us', version: 'v1', tags: { team: 'x' } };
    const id = await node.register(here);
    await node.register({ port: 1 });
    const selection: Select = {
      kind: 'instance',
      services: ['orders.example.com', 'other.example.com'],
      environments: ['prod', ''],
      protocols: ['http', 'grpc'],
      versions: ['v1'],
      regions: ['us'],
      tags: { team: 'x' },
      passing: true,
    };
    const peer = link(carrier, node.url);
    peer.subscribe(selection);
    await peer.next('synced');
    expect([...peer.items.keys()]).toEqual([`instances/${id}`]);
    await node.register({ ...here, version: 'v2' });
    await agrees(peer, node, selection);
    expect(peer.items.size).toBe(0);
  });

  test.each<Select>([
    { kind: '*' },
    { kind: '*', services: ['a.example.com'] },
    { kind: 'service', labels: { a: 'b' } },
  ])('PUSH8 the copy of %j is that of the server while everything is written', async (selection) => {
    const node = await open();
    await seed(node);
    let isOver = false;
    const writing = (async () => {
      for (let i = 0; !isOver; i++) {
        await node.put(`regions/r${i % 7}`, { title: `${i}` });
        if (i % 5 === 0) await node.delete(`regions/r${i % 7}`);
        await node.put('services/a.example.com', { ...SERVICE, apiId: 'a', labels: i % 2 === 0 ? { a: 'b' } : {} });
        await node.register({ service: 'a.example.com', port: 1000 + (i % 9), weight: i });
      }
    })();
    const peers = Array.from({ length: 3 }, () => link(carrier, node.url));
    for (const peer of peers) peer.subscribe(selection);
    for (const peer of peers) await peer.next('synced');
    await sleep(100);
    isOver = true;
    await writing;
    for (const peer of peers) await agrees(peer, node, selection);
  });

  test('several subscriptions, of which one ends; resync brings everything anew', async () => {
    const node = await open();
    await node.put('regions/us');
    const peer = link(carrier, node.url);
    peer.subscribe(REGIONS);
    peer.subscribe({ kind: 'project' }, undefined, '2');
    peer.subscribe({ kind: 'project' }, undefined, '2');
    expect(await peer.next('error')).toMatchObject({ id: '2', code: 'duplicate-id' });
    await peer.next('synced', ({ topic }) => topic === 'project');
    await peer.next('synced', ({ topic }) => topic === 'region');
    peer.send({ type: 'unsubscribe', id: '2' });
    expect(await peer.next('unsubscribed')).toEqual({ type: 'unsubscribed', id: '2', topic: 'project' });
    await node.put('projects/core', { title: 'Core' });
    const before = peer.frames.length;
    peer.send({ type: 'resync', id: '1', revision: 1, digest: '0000000000000000' });
    expect(await peer.next('reset')).toMatchObject({ topic: 'region', reason: 'resync' });
    await until('another synced', () => peer.frames.slice(before).some(({ type }) => type === 'synced'));
    const after = peer.types.slice(before).filter((type) => type !== 'bookmark');
    expect(after).toEqual(['reset', 'snapshot', 'synced']);
    peer.send({ type: 'unsubscribe', id: '2' });
    expect(await peer.next('error', ({ code }) => code === 'unknown-id')).toMatchObject({ id: '2' });
    expect(peer.frames.some((frame) => frame.type === 'change')).toBe(false);
  });

  test('a registration is answered with an error: it is a request of its own here', async () => {
    const node = await open();
    const peer = link(carrier, node.url);
    peer.send({ type: 'deregister', id: 'a', instance: '0'.repeat(24) });
    expect(await peer.next('error')).toMatchObject({ id: 'a', code: 'unavailable' });
    expect(peer.end).toBeUndefined();
  });

  test('what cannot be asked for is an error of that subscription alone', async () => {
    const node = await open();
    const peer = link(carrier, node.url);
    peer.subscribe({ kind: 'instance', tags: { a: 'x,y' } });
    expect(await peer.next('error')).toMatchObject({ id: '1', code: 'bad-select' });
    peer.subscribe({ kind: 'region', regions: ['x'.repeat(300)] }, undefined, '2');
    expect(await peer.next('error', ({ id }) => id === '2')).toMatchObject({ code: 'bad-select' });
    peer.subscribe(REGIONS, undefined, '3');
    await peer.next('synced');
    expect(peer.end).toBeUndefined();
  });

  test('a ping is answered while the server is heard; another token is taken without a gap', async () => {
    const node = await open();
    const peer = link(carrier, node.url);
    peer.subscribe(REGIONS);
    await peer.next('synced');
    peer.send({ type: 'ping' });
    await peer.next('pong');
    const before = peer.frames.length;
    peer.send({ type: 'reauth', token: 'other' });
    await peer.next('reauthed');
    await node.put('regions/us');
    await agrees(peer, node, REGIONS);
    expect(peer.types.slice(before).filter((type) => /subscribed|snapshot|reset/.test(type))).toEqual([]);
  });

  test('a server that goes away ends the link, and says so once', async () => {
    const node = await open();
    const peer = link(carrier, node.url);
    peer.subscribe(REGIONS);
    peer.subscribe({ kind: 'project' }, undefined, '2');
    await peer.next('synced', ({ topic }) => topic === 'project');
    void node.hub.drain(0);
    const end = await peer.ended();
    if (name === 'event-stream') expect(end).toMatchObject({ type: 'closed', code: CLOSE.draining });
    else expect(end).toMatchObject({ type: 'refused', status: 503, retryAfterMs: 1000, problem: { status: 503 } });
    await sleep(50);
  });

  test('three heartbeats without a byte end the link', async () => {
    const node = await open();
    const proxy = await startProxy(node.port);
    leftovers.push(() => proxy.close());
    const peer = link(carrier, `http://127.0.0.1:${proxy.port}`, { openTimeoutMs: 300 });
    peer.subscribe(REGIONS);
    await peer.next('synced');
    const { heartbeat } = await peer.next('welcome');
    proxy.lost = 'from';
    const began = performance.now();
    expect(await peer.ended()).toMatchObject({ type: 'closed', code: 1006 });
    // It was heard at most one heartbeat before; what is waited for may be answered late.
    expect(performance.now() - began).toBeGreaterThan(1.9 * heartbeat);
  });

  test('nobody there, somebody else there, and somebody who wants to know who asks', async () => {
    const gone = await serve(() => {});
    const silent = link(carrier, gone, { openTimeoutMs: 50 });
    expect(await silent.ended()).toMatchObject({ type: 'unreachable' });
    const closed = link(carrier, `http://127.0.0.1:${await freePort()}`);
    expect(await closed.ended()).toMatchObject({ type: 'unreachable', reached: false });
    const page = await serve((_request, response) => response.writeHead(502).end('<h1>Bad gateway</h1>'));
    const proxied = await link(carrier, page).ended();
    expect(proxied).toEqual({ type: 'refused', status: 502, detail: 'HTTP 502' });
    const guarded = await serve((request, response) => {
      const status = request.headers.authorization === 'Bearer good' ? 403 : 401;
      response.writeHead(status, { 'content-type': 'application/problem+json', 'retry-after': '7' });
      response.end(JSON.stringify({ type: '/problems/invalid-token', detail: 'No.' }));
    });
    expect(await link(carrier, guarded, { token: 'bad' }).ended()).toMatchObject({ status: 401, detail: 'No.' });
    expect(await link(carrier, guarded, { token: 'good' }).ended()).toMatchObject({ status: 403, retryAfterMs: 7000 });
  });

  test('a link with nothing to follow stays as well, before the first subscription and after the last', async () => {
    const node = await open();
    const peer = link(carrier, node.url);
    await peer.next('welcome');
    for (const id of ['1', '2']) {
      const before = peer.heard;
      await sleep(4 * HEARTBEAT_MS);
      expect(peer.heard).toBeGreaterThan(before + 1);
      peer.subscribe(REGIONS, undefined, id);
      await peer.next('subscribed', (frame) => frame.id === id);
      peer.send({ type: 'unsubscribe', id });
    }
    await until(
      'one connection, that shows life',
      () => [...node.hub.subscribers].length === (name === 'long-poll' ? 0 : 1),
    );
    expect(peer.end).toBeUndefined();
    expect(peer.types.filter((type) => type === 'welcome')).toHaveLength(1);
  });

  test('nothing is told after close, and nothing is left open', async () => {
    const node = await open();
    const peer = link(carrier, node.url);
    peer.subscribe(REGIONS);
    await peer.next('synced');
    peer.link.close();
    const before = peer.frames.length;
    await node.put('regions/us');
    await until('the server to see it go', () => [...node.hub.subscribers].length === 0);
    peer.subscribe(REGIONS, undefined, '9');
    await sleep(50);
    expect(peer.frames).toHaveLength(before);
    expect(peer.end).toBeUndefined();
  });
});

const SERVICE = {
  displayName: 'A',
  globalEndpoint: 'a.example.com:443',
  primaryRegion: 'us',
  creator: 'projects/core/service-accounts/ci',
};

async function seed(node: LiveNode): Promise<void> {
  await node.put('regions/us');
  await node.put('projects/core', { title: 'Core' });
  await node.put('projects/core/service-accounts/ci', { subject: 'ci' });
}

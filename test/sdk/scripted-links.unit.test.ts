import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventStreamCarrier } from '../../src/sdk/links/event-stream.ts';
import { longPollCarrier } from '../../src/sdk/links/long-poll.ts';
import { until } from '../acceptance/until.ts';
import { LinkPeer } from './link-peer.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  leftovers.push(() => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const deps = { fetch: (...args: Parameters<typeof fetch>) => fetch(...args), now: () => performance.now() };

function problem(response: ServerResponse, status: number, body: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: '/problems/test', detail: `It is ${status}.`, ...body }));
}

const HEARTBEAT_MS = 400;
const welcome = (epoch = 'e1') => ({ type: 'welcome', protocol: 1, epoch, revision: 1, heartbeat: HEARTBEAT_MS });
const item = (revision: number) => ({ name: 'regions/us', revision, title: 'US', labels: {} });
const event = (frame: { readonly type: string }, id?: string): string =>
  `event: ${frame.type}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(frame)}\n\n`;
const begin = (epoch: string, revision: number): string =>
  event(welcome(epoch)) +
  event({ type: 'subscribed', id: 'stream', topic: 'region' } as { type: string }) +
  event({ type: 'snapshot', topic: 'region', revision, items: [item(revision)], more: false } as { type: string }) +
  event(
    { type: 'synced', topic: 'region', revision, digest: '0'.repeat(16) } as { type: string },
    `${epoch}:${revision}`,
  );

describe('event-stream', () => {
  /** A server that is what the test says for each stream of a subscription, the first of which is number 0. */
  async function open(stream: (response: ServerResponse, number: number, url: URL, request: IncomingMessage) => void) {
    let number = 0;
    const url = await serve((request, response) => {
      const asked = new URL(request.url ?? '', 'http://x');
      const isIdle = asked.searchParams.get('regions') === '-';
      if (isIdle) {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(welcome()));
      } else {
        stream(response, number++, asked, request);
      }
    });
    const peer = LinkPeer.open(eventStreamCarrier(deps), url);
    leftovers.push(() => peer.link.close());
    await peer.next('welcome');
    return peer;
  }
  const say = (response: ServerResponse, text: string): ServerResponse => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).write(text);
    return response;
  };

  test('REV4 a stream that begins in another history than the link says so by a reset', async () => {
    const peer = await open((response) => say(response, begin('e2', 1)));
    peer.subscribe({ kind: 'region' });
    await peer.next('synced');
    expect(peer.types).toEqual(['welcome', 'subscribed', 'reset', 'snapshot', 'synced']);
    expect(peer.frames[2]).toEqual({ type: 'reset', topic: 'region', epoch: 'e2', reason: 'epoch' });
    expect(peer.position).toEqual({ epoch: 'e2', revision: 1 });
  });

  test('PUSH5 what comes back for another token goes on from the last id; after a reset from nothing', async () => {
    const asked: string[] = [];
    const peer = await open((response, number, url, request) => {
      asked.push(`${url.search} ${request.headers.authorization}`);
      if (number === 1)
        return say(
          response,
          event({ type: 'reset', topic: 'region', epoch: 'e1', reason: 'access' } as { type: string }, 'reset:0'),
        );
      return say(response, begin('e1', 5 + number));
    });
    peer.subscribe({ kind: 'region' });
    await peer.next('synced');
    peer.send({ type: 'reauth', token: 'second' });
    await peer.next('reset');
    peer.send({ type: 'reauth', token: 'third' });
    await peer.next('synced', ({ revision }) => revision === 7);
    expect(asked).toEqual([
      '?kind=region undefined',
      '?kind=region&since=5&epoch=e1 Bearer second',
      '?kind=region Bearer third',
    ]);
  });

  test('a subscription that stands and comes back too soon waits for as long as it is told to', async () => {
    const peer = await open((response, number) => {
      if (number === 1) return problem(response, 429, { retryAfter: 0.1 });
      return say(response, begin('e1', number + 1));
    });
    peer.subscribe({ kind: 'region' });
    await peer.next('synced');
    peer.send({ type: 'resync', id: '1', revision: 1, digest: '0'.repeat(16) });
    await peer.next('synced', ({ revision }) => revision === 3);
    expect(peer.types).not.toContain('error');
  });

  test.each<[string, (number: number) => object]>([
    ['for longer than a link may be silent', () => ({ retryAfter: 60 })],
    ['again and again', () => ({ retryAfter: 0.3 })],
  ])('who is told to wait %s is not current, and the link ends', async (_what, wait) => {
    const peer = await open((response, number) => {
      if (number === 0) say(response, begin('e1', 1));
      else problem(response, 429, wait(number));
    });
    peer.subscribe({ kind: 'region' });
    await peer.next('synced');
    peer.send({ type: 'reauth', token: 'other' });
    expect(await peer.ended()).toMatchObject({ type: 'refused', status: 429 });
  });

  test('a token and a right have ended where Signalbox says so, not something in front of it', async () => {
    for (const [status, code] of [
      [401, 4004],
      [403, 4501],
    ] as const) {
      const own = await open((response) => problem(response, status));
      own.subscribe({ kind: 'region' });
      expect(await own.ended()).toMatchObject({ type: 'closed', code });
      for (const type of ['text/html', 'application/problem+json']) {
        const proxied = await open((response) => {
          response.writeHead(status, { 'content-type': type }).end('{"type":"https://waf.example/blocked"}');
        });
        proxied.subscribe({ kind: 'region' });
        expect(await proxied.ended()).toEqual({ type: 'refused', status, detail: `HTTP ${status}` });
      }
    }
  });

  test('one that does not stand yet is told that it came too soon', async () => {
    const peer = await open((response) => problem(response, 429, { retryAfter: 3 }));
    peer.subscribe({ kind: 'region' });
    expect(await peer.next('error')).toMatchObject({ id: '1', code: 'rate-limited', retryAfterMs: 3000 });
  });

  test.each<[string, string, object]>([
    [
      'a close',
      'retry: 50\nevent: close\ndata: {"code":4005,"reason":"{\\"retryAfterMs\\":50}"}\n\n',
      { code: 4005, reason: '{"retryAfterMs":50}' },
    ],
    ['a close that says nothing', 'event: close\ndata: \n\n', { code: 1006 }],
    ['what is no frame', 'event: change\ndata: {"type":"change"}\n\n', { code: 1002 }],
    ['what is no JSON', 'data: {"type":\n\n', { code: 1002 }],
  ])('%s ends the link with its code', async (_what, text, end) => {
    const peer = await open((response) => say(response, begin('e1', 1) + text));
    peer.subscribe({ kind: 'region' });
    expect(await peer.ended()).toMatchObject({ type: 'closed', ...end });
    expect(peer.types).toContain('synced');
  });

  test('bytes that are no UTF-8, a stream that ends and one that is none end the link', async () => {
    const broken = await open((response) => void say(response, begin('e1', 1)).write(Buffer.from([0x64, 0xff, 0xfe])));
    broken.subscribe({ kind: 'region' });
    expect(await broken.ended()).toMatchObject({ type: 'closed', code: 1007 });
    const cut = await open((response) => void say(response, begin('e1', 1)).end());
    cut.subscribe({ kind: 'region' });
    expect(await cut.ended()).toMatchObject({ type: 'closed', code: 1006 });
    const page = await open(
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Log in'),
    );
    page.subscribe({ kind: 'region' });
    expect(await page.ended()).toEqual({ type: 'refused', status: 200, detail: 'the answer is no stream of events' });
  });
});

describe('long-poll', () => {
  const json = (response: ServerResponse, body: object): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

  async function open(
    changes: (response: ServerResponse, url: URL, number: number) => void,
  ): Promise<[LinkPeer, string[]]> {
    const asked: string[] = [];
    let number = 0;
    const url = await serve((request, response) => {
      const wanted = new URL(request.url ?? '', 'http://x');
      asked.push(wanted.pathname);
      if (wanted.pathname === '/v1/state') json(response, { epoch: 'e1', revision: 4 });
      else if (wanted.pathname === '/v1/regions') json(response, { items: [item(3)], nextPageToken: '', revision: 4 });
      else changes(response, wanted, number++);
    });
    const peer = LinkPeer.open(longPollCarrier(deps, { waitMs: HEARTBEAT_MS }), url);
    leftovers.push(() => peer.link.close());
    return [peer, asked];
  }

  test('PUSH5 a 410 is a reset, and the state is read anew; not in a storm', async () => {
    const [peer, asked] = await open((response, _url, number) => {
      if (number % 2 === 0) problem(response, 410, { reason: 'fenced', head: { epoch: 'e1', revision: 4 } });
      else setTimeout(() => json(response, { from: 4, to: 4, head: 4, changes: [] }), HEARTBEAT_MS);
    });
    const began = performance.now();
    peer.subscribe({ kind: 'region' });
    await until('three states', () => peer.types.filter((type) => type === 'snapshot').length === 3);
    expect(performance.now() - began).toBeGreaterThan(1900);
    expect(peer.types.slice(0, 6)).toEqual(['welcome', 'subscribed', 'snapshot', 'synced', 'reset', 'snapshot']);
    expect(peer.frames[4]).toEqual({ type: 'reset', topic: 'region', epoch: 'e1', reason: 'fenced' });
    expect(asked.filter((path) => path === '/v1/regions')).toHaveLength(3);
  });

  test('who polls too soon waits for as long as it is told to, and nobody hears of it', async () => {
    const [peer] = await open((response, _url, number) => {
      if (number < 2) problem(response, 429, { retryAfter: 0.05 });
      else if (number === 2) {
        const change = { op: 'delete', kind: 'region', key: 'regions/us', revision: 5 };
        json(response, { from: 4, to: 6, head: 6, changes: [change] });
      }
    });
    peer.subscribe({ kind: 'region' });
    expect(await peer.next('change')).toMatchObject({ topic: 'region', revision: 6 });
    expect(peer.types).toEqual(['welcome', 'subscribed', 'snapshot', 'synced', 'change']);
    expect(peer.position).toEqual({ epoch: 'e1', revision: 6 });
  });

  test('who is told to wait for longer than a link may be silent is not current, and the link ends', async () => {
    const [peer] = await open((response) => problem(response, 429, { retryAfter: 60 }));
    peer.subscribe({ kind: 'region' });
    await peer.next('synced');
    expect(await peer.ended()).toMatchObject({ type: 'refused', status: 429, retryAfterMs: 60_000 });
  });

  test('a list that may not be read is an error of its subscription alone', async () => {
    const [peer] = await open((response, { pathname }) => {
      if (pathname === '/v1/projects') problem(response, 403);
    });
    peer.subscribe({ kind: 'region' });
    peer.subscribe({ kind: 'project' }, undefined, '2');
    expect(await peer.next('error')).toMatchObject({ id: '2', code: 'forbidden', message: 'It is 403.' });
    await peer.next('synced');
    expect(peer.end).toBeUndefined();
  });

  test('a node that is behind is not asked without a pause', async () => {
    const [peer, asked] = await open((response, _url, number) => {
      const to = number < 3 ? 2 : 4;
      if (number < 4) json(response, { from: 2, to, head: 4, changes: [] });
    });
    const began = performance.now();
    peer.subscribe({ kind: 'region' }, { epoch: 'e1', revision: 2 });
    await peer.next('synced', ({ revision }) => revision === 4);
    expect(performance.now() - began).toBeGreaterThan(590);
    expect(asked.filter((path) => path === '/v1/changes').length).toBeLessThanOrEqual(5);
  });

  test('what is not taken ends the link, with the code that a socket would be closed with', async () => {
    const [peer] = await open((response) => problem(response, 503, { retryAfter: 2 }));
    peer.subscribe({ kind: 'region' });
    expect(await peer.ended()).toMatchObject({ type: 'refused', status: 503, retryAfterMs: 2000 });
    const [expired] = await open((response) => problem(response, 401));
    expired.subscribe({ kind: 'region' });
    expect(await expired.ended()).toMatchObject({ type: 'closed', code: 4004 });
    const [denied] = await open((response) => problem(response, 403));
    denied.subscribe({ kind: 'region' });
    expect(await denied.ended()).toMatchObject({ type: 'closed', code: 4501 });
  });
});

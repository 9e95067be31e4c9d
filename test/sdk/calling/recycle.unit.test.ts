import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { CallOptions } from '../../../src/sdk/calling/options.ts';
import { type FakeEndpoint, Peer, rigOf, until, type Rig } from './peers.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Counts the requests of each socket. */
async function counting(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const perSocket = new Map<Socket, number>();
  const made = await Peer.http((request, response) => {
    perSocket.set(request.socket, (perSocket.get(request.socket) ?? 0) + 1);
    answer(request, response);
  });
  ends.push(() => made.stop());
  return { peer: made, perSocket };
}

function rig(endpoints: FakeEndpoint[], options: CallOptions, now?: () => number): Rig {
  // Pseudo-random, and the same each time.
  let seed = 7;
  const made = rigOf(endpoints, options, () => (seed = (seed * 16807) % 2147483647) / 2147483647, now);
  ends.push(() => made.calls.close({ timeoutMs: 0 }));
  return made;
}

/** So many callers, each with the next call when the last one is answered, until it is time to stop. */
async function load(
  callers: number,
  call: (n: number) => Promise<void>,
  more: (n: number) => boolean,
): Promise<number> {
  let count = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (more(count)) await call(count++);
    }),
  );
  return count;
}

test('connections are replaced after their requests, and of thousands of calls none is cut and none fails', async () => {
  const { peer, perSocket } = await counting((request, response) => {
    if (request.method === 'POST') request.pipe(response);
    else response.end('good');
  });
  const connections = { maxRequests: 50, jitter: 0.5 };
  const { text, settled } = rig([peer.endpoint], { retries: 0, breaker: false, connections });
  const call = async (n: number): Promise<void> => {
    if (n % 4 === 0) expect(await text('/', { method: 'POST', body: `order ${n}` })).toBe(`order ${n}`);
    else expect(await text('/')).toBe('good');
  };
  const calls = await load(16, call, (n) => n < 4000);
  await settled();
  expect(peer.endpoint.outcomes.every((outcome) => outcome === 'ok')).toBe(true);
  expect(peer.requests).toBe(calls);
  const counts = [...perSocket.values()];
  expect(Math.max(...counts)).toBeLessThanOrEqual(50);
  expect(counts.length).toBeGreaterThan(calls / 50);
  // Each has a jitter of its own.
  expect(new Set(counts).size).toBeGreaterThan(10);
  expect(counts.length).toBeLessThan(calls / 25 + 16);
  await until(() => peer.openSockets <= 16);
}, 20_000);

test('connections are replaced after their time, also while answers take longer than that, which are finished', async () => {
  const { peer, perSocket } = await counting((request, response) => {
    if (request.url === '/stream') {
      let left = 10;
      const part = (): void => {
        if (left-- > 0) response.write('part ');
        else response.end();
        if (left >= 0) setTimeout(part, 25);
      };
      part();
    } else response.end('good');
  });
  // The clock goes with the requests, so that a slow machine sees as many periods as a fast one.
  let later = 0;
  const now = (): number => peer.requests + later;
  const connections = { maxAgeMs: 60, jitter: 0.3, keepAliveMs: 100_000 };
  const options = { retries: 0, breaker: false, timeoutMs: 1_000_000, connections } as const;
  const { text, settled } = rig([peer.endpoint], options, now);
  let running = true;
  const streams = load(
    4,
    async () => expect(await text('/stream')).toBe('part '.repeat(10)),
    () => running,
  );
  const called = await load(
    8,
    async () => expect(await text('/')).toBe('good'),
    (n) => n < 2000,
  );
  running = false;
  const streamed = await streams;
  await settled();
  expect(peer.endpoint.outcomes.filter((outcome) => outcome !== 'ok')).toEqual([]);
  expect(peer.requests).toBe(called + streamed);
  // The connections of the short calls, in each of the 33 periods.
  expect(perSocket.size).toBeGreaterThan(100);
  later = 1000;
  await until(() => peer.openSockets === 0);
}, 20_000);

test('an unused connection is closed after keepAliveMs, and the next call makes another', async () => {
  const { peer } = await counting((_request, response) => response.end('good'));
  const { text, calls } = rig([peer.endpoint], { connections: { keepAliveMs: 60 } });
  expect(await text('/')).toBe('good');
  expect(await text('/')).toBe('good');
  expect(peer.sockets.length).toBe(1);
  await until(() => peer.openSockets === 0 && calls.statsOf(peer.endpoint).open === 0);
  expect(await text('/')).toBe('good');
  expect(peer.sockets.length).toBe(2);
});

test('an instance that is gone gets nothing new; what is under way comes to its end, and its connections close', async () => {
  const [old, other] = [
    await counting((request, response) => {
      response.write('first ');
      setTimeout(() => response.end('last'), request.url === '/long' ? 200 : 20);
    }),
    await counting((_request, response) => response.end('other')),
  ];
  const { text, targets, calls } = rig([old.peer.endpoint], { connections: { max: 2 } });
  const under = [text('/long'), text('/')];
  await until(() => old.peer.requests === 2);
  // Waits for a connection, and is not sent: it goes elsewhere, although it is a POST.
  const waiting = text('/', { method: 'POST', body: 'order' });
  await until(() => calls.statsOf(old.peer.endpoint).waiting === 1);
  targets.endpoints.push(other.peer.endpoint);
  targets.remove(old.peer.endpoint);
  expect(await waiting).toBe('other');
  expect(await text('/')).toBe('other');
  expect(await Promise.all(under)).toEqual(['first last', 'first last']);
  await until(() => old.peer.openSockets === 0);
  expect(old.peer.requests).toBe(2);
  expect(old.peer.endpoint.outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(2);
  expect(old.peer.endpoint.outstanding).toBe(0);
});

test('a server that closes connections as it likes is used on', async () => {
  const { peer } = await counting((_request, response) => response.setHeader('connection', 'close').end('good'));
  const { text, settled } = rig([peer.endpoint], { retries: 0, connections: { max: 4 } });
  await load(
    8,
    async () => expect(await text('/')).toBe('good'),
    (n) => n < 200,
  );
  await settled();
  expect(peer.requests).toBe(200);
});

/** One address for several servers, which gives each new connection to the next one. */
class Balancer {
  readonly backends: number[];
  readonly #open = new Map<number, number>();
  #next = 0;

  constructor(backends: number[]) {
    this.backends = backends;
  }

  accept(socket: Socket): void {
    const port = this.backends[this.#next++ % this.backends.length] ?? 0;
    this.#open.set(port, this.open(port) + 1);
    const onward = connect(port, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    const end = (): void => {
      socket.destroy();
      onward.destroy();
    };
    socket.on('error', end).on('close', () => {
      this.#open.set(port, this.open(port) - 1);
      end();
    });
    onward.on('error', end);
  }

  get openConnections(): number {
    return [...this.#open.values()].reduce((sum, each) => sum + each, 0);
  }

  open(port: number): number {
    return this.#open.get(port) ?? 0;
  }
}

test('a new host behind an address gets its share of the connections within one period', async () => {
  const held: ServerResponse[] = [];
  const hosts = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const host = await Peer.of(createServer((_request, response) => void held.push(response)));
      ends.push(() => host.stop());
      return Number(new URL(host.endpoint.url).port);
    }),
  );
  const [first = 0, second = 0, added = 0] = hosts;
  const balancer = new Balancer([first, second]);
  const front = await Peer.of(createTcpServer((socket) => balancer.accept(socket)));
  ends.push(() => front.stop());
  const PERIOD_MS = 3_600_000;
  const AT_ONCE = 60;
  let now = 0;
  const connections = { maxAgeMs: PERIOD_MS, keepAliveMs: PERIOD_MS, max: AT_ONCE };
  const { text } = rig(
    [front.endpoint],
    { retries: 0, breaker: false, timeoutMs: 2 * PERIOD_MS, connections },
    () => now,
  );
  const together = async (): Promise<void> => {
    const calls = Array.from({ length: AT_ONCE }, () => text('/'));
    await until(() => held.length === AT_ONCE);
    for (const response of held.splice(0)) response.end('good');
    expect(await Promise.all(calls)).toEqual(Array(AT_ONCE).fill('good'));
  };
  const shares = async (): Promise<number[]> => {
    await until(() => balancer.openConnections === AT_ONCE);
    return hosts.map((port) => balancer.open(port));
  };

  await together();
  expect(await shares()).toEqual([AT_ONCE / 2, AT_ONCE / 2, 0]);
  balancer.backends.push(added);
  const soFar: number[] = [];
  for (const share of [0.5, 0.79, 0.85, 0.9, 0.95, 1]) {
    now = share * PERIOD_MS;
    await together();
    soFar.push((await shares())[2] ?? 0);
  }
  // Not before their time, not all at once, and all of them in the end.
  expect(soFar.slice(0, 2)).toEqual([0, 0]);
  expect(new Set(soFar).size).toBeGreaterThan(4);
  expect(await shares()).toEqual([AT_ONCE / 3, AT_ONCE / 3, AT_ONCE / 3]);
  expect(front.sockets.length).toBe(2 * AT_ONCE);
}, 20_000);

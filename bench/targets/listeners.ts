/**
 * What the health checks call: many listening sockets, each with an address and port of its own on loopback, that answer
 * 200 and keep when each of them was asked.
 *
 *   listeners.ts COUNT keep|close
 *
 * On the port that it prints, GET / answers where they listen, and GET /asked what came to them since the one before.
 */
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What the control port answers on /asked. Milliseconds. */
export interface Asked {
  readonly fewest: number;
  readonly most: number;
  readonly shortestGap: number;
  readonly longestGap: number;
  readonly connections: number;
  /** All targets together, within one second. */
  readonly mostInASecond: number;
}

const HOSTS = 250;
/** It ends by itself when nobody ends it. */
const LIFE_MS = 15 * 60_000;

const count = Number(process.argv[2]);
const closes = process.argv[3] === 'close';
const response = Buffer.from(`HTTP/1.1 200 OK\r\n${closes ? 'connection: close\r\n' : ''}content-length: 2\r\n\r\nok`);

const asked = new Uint32Array(count);
const last = new Float64Array(count).fill(NaN);
let shortestGap = Infinity;
let longestGap = 0;
let connections = 0;
let bySecond = new Map<number, number>();

function serve(socket: Socket, target: number): void {
  connections += 1;
  socket.on('error', () => {});
  socket.on('data', () => {
    const now = performance.now();
    const gap = now - (last[target] ?? NaN);
    if (gap < shortestGap) shortestGap = gap;
    if (gap > longestGap) longestGap = gap;
    last[target] = now;
    asked[target] = (asked[target] ?? 0) + 1;
    const second = Math.floor(now / 1000);
    bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
    if (closes) socket.end(response);
    else socket.write(response);
  });
}

function takeAsked(): Asked {
  const mostInASecond = Math.max(...bySecond.values());
  const [fewest, most] = [Math.min(...asked), Math.max(...asked)];
  const answer = { fewest, most, shortestGap, longestGap, connections, mostInASecond };
  asked.fill(0);
  [shortestGap, longestGap, connections, bySecond] = [Infinity, 0, 0, new Map()];
  return answer;
}

const listen = (server: Server, host: string): Promise<AddressInfo> =>
  new Promise((resolve) => {
    server.listen({ port: 0, host }, () => resolve(server.address() as AddressInfo));
  });

const targets = await Promise.all(
  Array.from({ length: count }, (_, target) =>
    listen(
      createServer({ noDelay: true }, (socket) => serve(socket, target)),
      `127.0.0.${1 + (target % HOSTS)}`,
    ),
  ),
);

const control = createHttpServer((request, answer) => {
  const body = request.url === '/asked' ? takeAsked() : targets.map(({ address, port }) => ({ address, port }));
  answer.setHeader('content-type', 'application/json').end(JSON.stringify(body));
});
process.on('SIGTERM', () => process.exit(0));
setTimeout(() => process.exit(1), LIFE_MS).unref();
console.log(`listening ${(await listen(control, '127.0.0.1')).port}`);

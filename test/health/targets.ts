/** Real servers on loopback for the checks to look at, most of them of the kind that one would rather not meet. */
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ActiveCheck, GrpcCheck, HttpCheck, TcpCheck } from '../../src/domain/instances/check.ts';
import { createEgress, type EgressPolicy } from '../../src/health/egress.ts';
import type { Finding, Prober, Target } from '../../src/health/probe.ts';
import { createProber } from '../../src/health/prober.ts';
import { createResolver, type Lookup, type Resolver } from '../../src/health/resolve.ts';
import { SELF_SIGNED } from './certificate.ts';

const COMMON = {
  initialStatus: 'critical',
  deregisterAfter: '1h',
  interval: '1s',
  timeout: '2s',
  unhealthyAfter: 1,
  healthyAfter: 1,
} as const;

export const httpCheck = (own: Partial<HttpCheck> = {}): HttpCheck => ({
  ...COMMON,
  type: 'http',
  path: '/health',
  method: 'GET',
  headers: {},
  tls: false,
  tlsVerify: true,
  ...own,
});

export const tcpCheck = (own: Partial<TcpCheck> = {}): TcpCheck => ({ ...COMMON, type: 'tcp', ...own });

export const grpcCheck = (own: Partial<GrpcCheck> = {}): GrpcCheck => ({
  ...COMMON,
  type: 'grpc',
  service: '',
  tls: false,
  tlsVerify: true,
  ...own,
});

export const at = (port: number, check: ActiveCheck, address = '127.0.0.1'): Target => ({
  service: 'iam.example',
  address,
  port,
  check,
});

/** A server that counts who connects. */
export interface Running {
  readonly port: number;
  readonly connections: number;
  readonly open: ReadonlySet<Socket>;
}

export interface ProberOptions {
  readonly lookup?: Lookup;
  readonly resolver?: Resolver;
  readonly policy?: Partial<EgressPolicy>;
}

/** Probers and servers of one test, which are gone after it. */
export class Bench {
  readonly #closers: (() => void | Promise<void>)[] = [];

  prober(options: ProberOptions = {}): Prober {
    const now = () => performance.now();
    const egress = createEgress({ allowLoopback: true, deny: [], ...options.policy });
    const named = options.lookup === undefined ? {} : { resolver: createResolver({ now, lookup: options.lookup }) };
    const prober = createProber({ egress, now, ...named, ...(options.resolver && { resolver: options.resolver }) });
    this.#closers.push(() => prober.close());
    return prober;
  }

  raw(onSocket: (socket: Socket) => void, host?: string): Promise<Running> {
    const server = createServer((socket) => {
      onSocket(socket);
      // Who does not read does not notice that the other side has closed.
      socket.resume();
    });
    return this.listen(server, host);
  }

  http(listener: RequestListener, host?: string): Promise<Running> {
    return this.listen(createHttpServer(listener), host);
  }

  https(listener: RequestListener): Promise<Running> {
    return this.listen(createHttpsServer(SELF_SIGNED, listener));
  }

  async listen(server: Server, host = '127.0.0.1'): Promise<Running> {
    const open = new Set<Socket>();
    let connections = 0;
    server.prependListener('connection', (socket: Socket) => {
      connections += 1;
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => open.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, host, resolve);
    });
    const { port } = server.address() as AddressInfo;
    this.#closers.push(() => {
      for (const socket of open) socket.destroy();
      return closed(server);
    });
    return {
      port,
      open,
      get connections() {
        return connections;
      },
    };
  }

  /** A port where connections are made, if at all, without anybody accepting them: no room is left for more of them. */
  async deaf(): Promise<number> {
    const worker = new Worker(DEAF, { eval: true });
    this.onClose(async () => void (await worker.terminate()));
    const [port] = (await once(worker, 'message')) as [number];
    for (let connected = true; connected;) {
      const socket = connect(port, '127.0.0.1');
      this.onClose(() => void socket.destroy());
      socket.on('error', () => undefined);
      connected = await Promise.race([once(socket, 'connect').then(() => true), sleep(100, false)]);
    }
    return port;
  }

  /** A server in a thread of its own, which answers so late, whatever this one does. `asked` is how often it was asked. */
  async apart(afterMs: number): Promise<{ readonly port: number; asked(): number }> {
    const asked = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(APART, { eval: true, workerData: { asked, afterMs } });
    this.onClose(async () => void (await worker.terminate()));
    const [port] = (await once(worker, 'message')) as [number];
    return { port, asked: () => Atomics.load(asked, 0) };
  }

  /** A port that nobody listens on. */
  async unusedPort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await closed(server);
    return port;
  }

  onClose(closer: () => void | Promise<void>): void {
    this.#closers.push(closer);
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.splice(0)) await closer();
  }
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
  });

/** Its thread sleeps for ever once it listens. */
const DEAF = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    setTimeout(() => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }, 10);
  });
`;

const APART = `
  const { parentPort, workerData: { asked, afterMs } } = require('node:worker_threads');
  const server = require('node:http').createServer((request, response) => {
    Atomics.add(asked, 0, 1);
    setTimeout(() => response.end(), afterMs);
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** Says nothing. */
export const silent = (): void => undefined;

export interface Timed {
  readonly finding: Finding;
  readonly ms: number;
}

export async function timed(finding: Promise<Finding>): Promise<Timed> {
  const start = performance.now();
  return { finding: await finding, ms: performance.now() - start };
}

/** Writes one byte a moment, for ever. */
export function drip(socket: Socket, text: string, everyMs = 50): void {
  let written = 0;
  const timer = setInterval(() => {
    socket.write(text[written % text.length] ?? '');
    written += 1;
  }, everyMs);
  socket.on('close', () => clearInterval(timer));
}

/** Writes as much as is read, up to so many bytes. */
export function flood(socket: Socket, chunk: Buffer, bytes: number): void {
  let written = 0;
  const more = (): void => {
    while (!socket.destroyed && written < bytes) {
      written += chunk.length;
      if (!socket.write(chunk)) {
        socket.once('drain', more);
        return;
      }
    }
  };
  more();
}

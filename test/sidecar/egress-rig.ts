import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallOptions } from '../../src/sdk/calling/options.ts';
import { Downstreams } from '../../src/sidecar/egress/downstreams.ts';
import { Egress, type EgressOptions } from '../../src/sidecar/egress/egress.ts';
import { tableOf, type PrefixRoute, type RouteTable } from '../../src/sidecar/egress/route.ts';
import { Listener, type ListenerOptions } from '../../src/sidecar/listen/listener.ts';
import { EngineNetwork } from './engine-network.ts';

export interface Rig {
  readonly port: number;
  readonly url: string;
  readonly network: EngineNetwork;
  readonly listener: Listener;
  readonly ended: string[];
}

/** What a test started, ended the last first. */
export class Ends {
  readonly #ends: (() => Promise<unknown> | void)[] = [];

  add(end: () => Promise<unknown> | void): void {
    this.#ends.push(end);
  }

  async all(): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end();
  }
}

/** No test means to make the sidecar fail; an error that nobody handles fails the test. */
export function unexpected(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

export const ROUTES: readonly PrefixRoute[] = [{ prefix: '/orders', service: 'orders.example.com', strip: true }];

/** An egress listener for `/orders`, whose instances are at these addresses. */
export async function egressTo(
  ends: Ends,
  urls: readonly string[] | undefined,
  options: Partial<
    ListenerOptions &
      RouteTable &
      Pick<EgressOptions, 'pseudonym' | 'localOnly'> & { routes: readonly PrefixRoute[]; calls: CallOptions }
  > = {},
): Promise<Rig> {
  const network = new EngineNetwork(options.calls);
  network.services.set('orders.example.com', urls);
  const ended: string[] = [];
  const egress = new Egress({
    table: tableOf(options.routes ?? ROUTES, {
      byHeader: true,
      environment: undefined,
      allowedUrls: new Set(),
      ...options,
    }),
    downstreams: new Downstreams(network, { maxNamed: 3, timeoutMs: 30_000 }),
    pseudonym: options.pseudonym ?? 'test-egress',
    keyHeader: undefined,
    localOnly: options.localOnly ?? true,
    tally: (service) => ({
      retried: () => ended.push(`${service} retry`),
      ended: (how) => ended.push(`${service} ${how}`),
    }),
  });
  const listener = new Listener(
    {
      host: '127.0.0.1',
      port: 0,
      maxHeaderBytes: 16_384,
      headersTimeoutMs: 5000,
      maxConnections: 100,
      onError: unexpected,
      ...options,
    },
    egress,
  );
  const port = await listener.listen();
  ends.add(() => network.close());
  ends.add(() => listener.close(50));
  return { port, url: `http://127.0.0.1:${port}`, network, listener, ended };
}

export interface Upstream {
  readonly server: Server;
  readonly url: string;
}

export async function upstream(ends: Ends, handle: RequestListener): Promise<Upstream> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  ends.add(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** An address where nobody listens. */
export async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { Instance } from '../../../src/domain/instances/instance.ts';
import { createCaller } from '../../../src/sdk/calling/caller.ts';
import type { Calls } from '../../../src/sdk/calling/dispatch.ts';
import type { CallOptions, FetchInit, FetchResponse } from '../../../src/sdk/calling/options.ts';
import type { Endpoint, Outcome, Targets } from '../../../src/sdk/discovery/endpoint.ts';

/** An endpoint that remembers what it was told, and does not allow to be told twice. */
export class FakeEndpoint implements Endpoint {
  readonly url: string;
  readonly instance: Instance;
  begun = 0;
  readonly outcomes: Outcome[] = [];
  readonly latencies: number[] = [];

  constructor(url: string, metadata: Record<string, string> = {}) {
    this.url = url;
    const { hostname, port } = new URL(url);
    this.instance = { address: hostname, port: Number(port), metadata } as unknown as Instance;
  }

  get outstanding(): number {
    return this.begun - this.outcomes.length;
  }

  begin(): void {
    this.begun += 1;
  }

  /** Calls whose answers have begun. */
  answers = 0;

  answered(): void {
    this.answers += 1;
  }

  end(outcome: Outcome, latencyMs: number): void {
    if (this.outstanding === 0) throw new Error('ended more often than begun');
    this.outcomes.push(outcome);
    this.latencies.push(latencyMs);
  }
}

/** In turn, without those that were tried while there are others. */
export class FakeTargets implements Targets {
  readonly service = 'orders.example.com';
  endpoints: FakeEndpoint[];
  readonly keys: (string | undefined)[] = [];
  #next = 0;
  #listener: ((endpoint: Endpoint) => void) | undefined;

  constructor(endpoints: FakeEndpoint[]) {
    this.endpoints = endpoints;
  }

  pick(key?: string, exclude?: ReadonlySet<Endpoint>): FakeEndpoint | undefined {
    this.keys.push(key);
    const from = this.#next % Math.max(1, this.endpoints.length);
    const inTurn = [...this.endpoints.slice(from), ...this.endpoints.slice(0, from)];
    const picked = inTurn.find((endpoint) => exclude?.has(endpoint) !== true) ?? inTurn[0];
    if (picked !== undefined) this.#next = this.endpoints.indexOf(picked) + 1;
    return picked;
  }

  onGone(listener: (endpoint: Endpoint) => void): () => void {
    this.#listener = listener;
    return () => (this.#listener = undefined);
  }

  remove(endpoint: FakeEndpoint): void {
    this.endpoints = this.endpoints.filter((each) => each !== endpoint);
    this.#listener?.(endpoint);
  }
}

/** A server, with all the sockets that were ever opened to it. */
export class Peer {
  readonly server: NetServer;
  readonly sockets: Socket[] = [];
  readonly endpoint: FakeEndpoint;
  requests = 0;

  private constructor(server: NetServer, scheme: string, metadata: Record<string, string>) {
    this.server = server;
    this.endpoint = new FakeEndpoint(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, metadata);
    server.on('connection', (socket: Socket) => this.sockets.push(socket.on('error', () => {})));
    server.on('request', () => (this.requests += 1));
  }

  static async of(server: NetServer, scheme = 'http', metadata: Record<string, string> = {}): Promise<Peer> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Peer(server, scheme, metadata);
  }

  static http(listener: RequestListener): Promise<Peer> {
    return Peer.of(createServer(listener));
  }

  get openSockets(): number {
    return this.sockets.filter(({ destroyed }) => !destroyed).length;
  }

  /** Nobody listens any more, and whoever was connected is cut. */
  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    (this.server as Server).closeAllConnections?.();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

export interface Rig {
  readonly targets: FakeTargets;
  readonly calls: Calls;
  fetch(path: string, init?: FetchInit): Promise<FetchResponse>;
  text(path: string, init?: FetchInit): Promise<string>;
  /** Waits until nothing is under way at any endpoint. */
  settled(): Promise<void>;
}

/** Calls of the endpoints of some peers. Pauses are as short as they can be. */
export function rigOf(
  endpoints: FakeEndpoint[],
  options: CallOptions = {},
  random: () => number = () => 0,
  now: () => number = () => performance.now(),
): Rig {
  const targets = new FakeTargets(endpoints);
  const { calls, fetch } = createCaller(targets, options, { now, random });
  const all = new Set(endpoints);
  return {
    targets,
    calls,
    fetch,
    text: async (path, init) => (await fetch(path, init)).text(),
    settled: () => until(() => [...all, ...targets.endpoints].every(({ outstanding }) => outstanding === 0)),
  };
}

export async function until(condition: () => boolean, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

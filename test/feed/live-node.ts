import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Registry as MetricsRegistry } from 'prom-client';
import type { FastifyInstance } from 'fastify';
import { AuditWriter } from '../../src/audit/writer.ts';
import { permitOf } from '../../src/auth/authorize.ts';
import { sightOf } from '../../src/auth/sight.ts';
import { InProcessNetwork } from '../../src/bus/in-process.ts';
import { loadConfig } from '../../src/config.ts';
import { instanceName } from '../../src/domain/names.ts';
import { buildApp } from '../../src/edge/app.ts';
import { auditRoute } from '../../src/edge/http/audit.ts';
import { subscribersRoute } from '../../src/edge/http/subscribers.ts';
import type { Access } from '../../src/edge/identify.ts';
import { frameGateOf, type Limits } from '../../src/edge/rate-limiting.ts';
import { registrarOf } from '../../src/edge/ws/registrar.ts';
import { watchRoute } from '../../src/edge/ws/watch.ts';
import { Hub, type HubLimits, type HubMetrics } from '../../src/feed/hub.ts';
import { HEARTBEAT_SLICES } from '../../src/feed/roster.ts';
import type { SignsOfLife } from '../../src/feed/registrar.ts';
import { Tail } from '../../src/feed/tail.ts';
import type { Monitoring } from '../../src/health/monitoring.ts';
import {
  validateInstanceOverride,
  validateRegionOverride,
  validateRegistration,
  validateResource,
} from '../../src/protocol/validate.ts';
import { CommitLoop } from '../../src/registry/commit-loop.ts';
import type { RegistryUnavailable } from '../../src/registry/errors.ts';
import { InstanceDesk } from '../../src/registry/instances.ts';
import { Registry } from '../../src/registry/registry.ts';
import { inertHubMetrics } from '../support/inert.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { loneNode } from '../support/lone-node.ts';

const caller = { kind: 'administrator', subject: 'test' } as const;
const now = (): number => performance.now();

/** Leases that never run out, and that remember who keeps them. */
export class Leases implements Monitoring {
  enabled = true;
  readonly attached = new Map<string, SignsOfLife>();
  /** With the last sign of life that the connection had shown. */
  readonly detached: { id: string; heardAt: number; at: number }[] = [];
  readonly renewed: string[] = [];
  readonly #tail: Tail;

  constructor(tail: Tail) {
    this.#tail = tail;
  }

  renew(id: string, generation?: number): boolean {
    const item = this.#tail.view.get(instanceName(id));
    if (item?.kind !== 'instance' || (generation ?? item.value.generation) !== item.value.generation) return false;
    this.renewed.push(id);
    return true;
  }

  attach(id: string, life: SignsOfLife): void {
    this.attached.set(id, life);
  }

  detach(id: string, life: SignsOfLife): void {
    if (this.attached.get(id) === life) this.attached.delete(id);
    this.detached.push({ id, heardAt: life.heardAt, at: now() });
  }

  report(): undefined {
    return undefined;
  }

  guards(): readonly [] {
    return [];
  }
}

export interface NodeOptions {
  readonly limits?: Partial<HubLimits>;
  readonly env?: Readonly<Record<string, string>>;
  readonly access?: Access;
  /** Of requests and of frames alike. */
  readonly rates?: Limits;
  /** Shared with other nodes; none of them hears of another's commits by itself. */
  readonly store?: MemoryStore;
  readonly metrics?: HubMetrics;
  /** What the feed takes for monotonic time, in milliseconds. */
  readonly now?: () => number;
  /** Where it listens; by default where there is room. */
  readonly port?: number;
}

/** A node with everything but its database and its health checks, on a real port. */
export class LiveNode {
  readonly store: MemoryStore;
  readonly tail: Tail;
  readonly leases: Leases;
  readonly hub: Hub;
  readonly instances: InstanceDesk;
  readonly registry: Registry;
  readonly audit: AuditWriter;
  /** What registrations are answered with instead, or waited for. */
  failure: RegistryUnavailable | undefined;
  gate: Promise<void> | undefined;
  /** What the feed takes for the time, in milliseconds since 1970. */
  clock: () => number = Date.now;
  app!: FastifyInstance;
  #beat: NodeJS.Timeout | undefined;

  private constructor({
    limits,
    rates,
    store = new MemoryStore(),
    metrics = inertHubMetrics(),
    now: monotonic = now,
  }: NodeOptions) {
    this.store = store;
    this.tail = new Tail(store);
    this.leases = new Leases(this.tail);
    const bus = new InProcessNetwork().join();
    this.hub = new Hub({
      tail: this.tail,
      store: this.store,
      limits: {
        maxQueuedBytes: 64 * 1024,
        maxSubscriptions: 8,
        maxSockets: 50,
        heartbeatMs: 100,
        stallTimeoutMs: 300,
        ringBytes: 1024 * 1024,
        ...limits,
      },
      metrics,
      log: { warn: () => {}, info: () => {} },
      now: monotonic,
      clock: () => this.clock(),
      random: () => 0.5,
      ...(rates !== undefined && { gate: frameGateOf(rates) }),
    });
    this.audit = new AuditWriter({
      store: this.store,
      limits: { perWindow: 10, windowMs: 60_000, maxSorts: 100, maxWaiting: 1000 },
      metrics: { written: () => {}, dropped: () => {} },
      log: { error: () => {}, info: () => {} },
      now,
      clock: Date.now,
    });
    const loop = new CommitLoop({
      store: this.store,
      ledger: this.tail,
      bus,
      validate: validateResource,
      limits: { maxPending: 1000, timeoutMs: 5000 },
      metrics: { batch: () => {} },
      now,
    });
    this.registry = new Registry(loop, { ledger: this.tail, validate: validateResource, permitOf, sightOf });
    this.instances = new InstanceDesk({
      registry: {
        execute: async (command, options) => {
          if (this.failure !== undefined) throw this.failure;
          await this.gate;
          return this.registry.execute(command, options);
        },
      },
      leases: this.leases,
      validate: {
        registration: validateRegistration,
        instanceOverride: validateInstanceOverride,
        regionOverride: validateRegionOverride,
      },
      deniedAddress: (address) => (address === '169.254.169.254' ? 'a metadata address' : undefined),
      mustBeInCatalog: false,
      clock: Date.now,
    });
  }

  /** Without a server in front. */
  static async bare(limits: Partial<HubLimits> = {}, options: NodeOptions = {}): Promise<LiveNode> {
    const node = new LiveNode({ ...options, limits });
    await node.tail.open();
    await node.hub.start({ entries: 0, bytes: 0 });
    node.tail.listen(node.hub);
    return node;
  }

  static async open(options: NodeOptions = {}): Promise<LiveNode> {
    const { env = {}, access = { development: true }, rates } = options;
    const loaded = loadConfig(env);
    if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
    const node = new LiveNode(options);
    const { hub, tail, leases, instances, registry, audit, store } = node;
    const log = pino({ level: 'silent' });
    node.app = await buildApp({
      config: loaded.config,
      access,
      ...(rates !== undefined && { limits: rates }),
      registry,
      state: tail,
      log: hub.history,
      feed: hub,
      instances,
      monitoring: leases,
      cluster: loneNode(tail),
      audit,
      logger: log,
      metrics: new MetricsRegistry(),
      clock: Date.now,
      version: '0.0.0',
      plugins: [
        watchRoute({
          hub,
          log,
          maxFrameBytes: 64 * 1024,
          registrar: registrarOf({ instances, monitoring: leases, state: tail, audit, log }),
        }),
        subscribersRoute(hub),
        auditRoute({ store, state: tail, clock: Date.now }),
      ],
    });
    await tail.open();
    await hub.start({ entries: 0, bytes: 0 });
    tail.listen(hub);
    await node.app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
    node.#beat = setInterval(() => hub.heartbeat(), hub.limits.heartbeatMs / HEARTBEAT_SLICES);
    return node;
  }

  get port(): number {
    return (this.app.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get head(): number {
    return this.tail.head.revision;
  }

  /** Puts a resource; resolves with its revision. */
  async put(name: string, value: object = {}): Promise<number> {
    const edits = [
      { op: 'put' as const, name, value: name.startsWith('regions/') ? { title: name, ...value } : value },
    ];
    return this.#revision(await this.registry.execute({ caller, at: Date.now(), edits }));
  }

  async delete(name: string): Promise<number> {
    return this.#revision(await this.registry.execute({ caller, at: Date.now(), edits: [{ op: 'delete', name }] }));
  }

  /** Registers an instance; resolves with its id. */
  async register(more: object = {}): Promise<string> {
    const outcome = await this.instances.register(caller, { ...INSTANCE, ...more });
    if (!outcome.ok) throw new Error(outcome.refusal.detail);
    return outcome.value.id;
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    await this.hub.drain(0);
    this.app.server.closeAllConnections();
    await this.app.close();
  }

  #revision(verdict: Awaited<ReturnType<Registry['execute']>>): number {
    if (!verdict.ok) throw new Error(verdict.refusal.detail);
    return verdict.revision;
  }
}

export const INSTANCE = { service: 'orders.example.com', protocol: 'http', address: '10.0.4.17', port: 8080 };

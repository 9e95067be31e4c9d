import { pino } from 'pino';
import { Registry as MetricsRegistry } from 'prom-client';
import type { FastifyInstance } from 'fastify';
import { loadConfig } from '../../src/config.ts';
import { permitOf } from '../../src/auth/authorize.ts';
import { sightOf } from '../../src/auth/sight.ts';
import type { Command } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import type { Entry } from '../../src/domain/item.ts';
import { instanceName } from '../../src/domain/names.ts';
import { since, type Head, type Position } from '../../src/domain/position.ts';
import { View } from '../../src/domain/view.ts';
import { buildApp } from '../../src/edge/app.ts';
import type { EdgeDeps, Result } from '../../src/edge/deps.ts';
import type { GuardReport, InstanceReport, Monitoring } from '../../src/health/monitoring.ts';
import {
  validateInstanceOverride,
  validateRegionOverride,
  validateRegistration,
  validateResource,
} from '../../src/protocol/validate.ts';
import { InstanceDesk } from '../../src/registry/instances.ts';
import { Registry } from '../../src/registry/registry.ts';
import { loneNode } from '../support/lone-node.ts';

/** The real view, the real decisions and the real schemas, without a database: commits are folds. */
export class Catalog {
  readonly view = new View();
  readonly entries: Entry[] = [];
  head: Head = { epoch: 'e1', revision: 0, trimmed: 0 };
  ready = true;
  /** What `execute` rejects with. */
  failure: Error | undefined;
  readonly #registry = new Registry(
    { execute: (command) => Promise.resolve(this.#commit(command)) },
    { ledger: this, validate: validateResource, permitOf, sightOf },
  );
  #waiters: (() => void)[] = [];

  async execute(command: Command, options: { dryRun?: boolean } = {}): Promise<Result> {
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    return this.#registry.execute(command, options);
  }

  #commit(command: Command): Result {
    const revision = this.head.revision + 1;
    const decision = decide(this.view, command, revision, validateResource);
    if (!decision.ok) return decision;
    if (decision.changes.length === 0) return { ...decision, revision: revision - 1 };
    this.view.fold(decision.changes);
    this.entries.push({ revision, at: command.at, author: command.caller.subject, changes: decision.changes });
    this.head = { ...this.head, revision };
    for (const wake of this.#waiters.splice(0)) wake();
    return { ...decision, revision };
  }

  async read(from: Position, limit: { entries: number }): ReturnType<EdgeDeps['log']['read']> {
    await Promise.resolve();
    const answer = since(this.head, from);
    if (answer.kind === 'startOver') return answer;
    const entries = this.entries.filter((entry) => entry.revision > from.revision).slice(0, limit.entries);
    return { kind: 'changes', entries };
  }

  async waitFor(revision: number, timeoutMs: number): Promise<boolean> {
    const end = performance.now() + timeoutMs;
    while (this.head.revision < revision) {
      const left = end - performance.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }
}

/** Leases that never run out: whoever is in the view has one. */
export class Leases implements Monitoring {
  enabled = true;
  readonly renewed: string[] = [];
  readonly held: GuardReport[] = [];
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  renew(id: string, generation?: number): boolean {
    const item = this.#view.get(instanceName(id));
    if (item?.kind !== 'instance' || (generation ?? item.value.generation) !== item.value.generation) return false;
    this.renewed.push(id);
    return true;
  }

  attach(): void {}

  detach(): void {}

  report(id: string): InstanceReport | undefined {
    if (this.#view.get(instanceName(id)) === undefined) return undefined;
    return { lastChecks: [], consecutivePasses: 0, consecutiveFailures: 0 };
  }

  guards(): readonly GuardReport[] {
    return this.held;
  }
}

export interface Edge {
  readonly app: FastifyInstance;
  readonly catalog: Catalog;
  readonly leases: Leases;
  readonly metrics: MetricsRegistry;
}

export const AT = Date.UTC(2026, 0, 15);

export async function openEdge(more: Partial<EdgeDeps> = {}, { mustBeInCatalog = false } = {}): Promise<Edge> {
  const loaded = loadConfig({ READ_WAIT_MAX: '100ms', BODY_MAX_BYTES: '64KiB', APPLY_MAX_BYTES: '256KiB' });
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  const catalog = new Catalog();
  const leases = new Leases(catalog.view);
  const metrics = new MetricsRegistry();
  const app = await buildApp({
    config: loaded.config,
    access: { development: true },
    registry: catalog,
    state: catalog,
    log: catalog,
    instances: deskOf(catalog, leases, mustBeInCatalog),
    monitoring: leases,
    cluster: loneNode(catalog),
    logger: pino({ level: 'silent' }),
    metrics,
    clock: () => AT,
    version: '0.0.0',
    ...more,
  });
  await app.ready();
  return { app, catalog, leases, metrics };
}

const deskOf = (catalog: Catalog, leases: Leases, mustBeInCatalog: boolean): InstanceDesk =>
  new InstanceDesk({
    registry: catalog,
    leases,
    validate: {
      registration: validateRegistration,
      instanceOverride: validateInstanceOverride,
      regionOverride: validateRegionOverride,
    },
    deniedAddress: (address) => (address.startsWith('169.254.') ? 'a link-local address' : undefined),
    mustBeInCatalog,
    clock: () => AT,
  });

export const ACCOUNT = 'projects/core/service-accounts/deployer';

export type Document = Readonly<Record<string, unknown>> & { readonly name: string };

/** Two regions, a project with an account, iam and a service that imports it, both deployed in `us`. */
export const MANIFEST: readonly Document[] = [
  { name: 'regions/us', title: 'United States', location: { country: 'US' }, labels: { tier: '1' } },
  { name: 'regions/eu', title: 'Europe', location: { continent: 'Europe' } },
  { name: 'projects/core', title: 'Core' },
  { name: ACCOUNT, clientId: 'deployer' },
  service('iam.test', { apiId: 'iam', public: true, labels: { team: 'identity', 'a.b/c': 'x y' } }),
  { name: 'services/iam.test/versions/v1' },
  { name: 'services/iam.test/versions/v2', lifecycle: { state: 'deprecated', sunset: '2030-01-31' } },
  { name: 'services/iam.test/resources/User', plural: 'Users', versions: [{ version: 'v1', regional: true }] },
  { name: 'services/iam.test/deployments/us', regionalEndpoint: 'us.iam.test', currentVersion: 'v1' },
  service('shop.test', { uses: ['iam.test'] }),
  { name: 'services/shop.test/versions/v1', imports: [{ service: 'iam.test', version: 'v1' }] },
  { name: 'services/shop.test/deployments/us', regionalEndpoint: 'us.shop.test', currentVersion: 'v1' },
];

function service(id: string, more: object): Document {
  return {
    name: `services/${id}`,
    displayName: id,
    creator: ACCOUNT,
    globalEndpoint: id,
    primaryRegion: 'us',
    ...more,
  };
}

export async function openFilledEdge(
  more: Partial<EdgeDeps> = {},
  options: { mustBeInCatalog?: boolean } = {},
): Promise<Edge> {
  const edge = await openEdge(more, options);
  const response = await edge.app.inject({ method: 'POST', url: '/v1/apply', payload: [...MANIFEST] });
  if (response.statusCode !== 200) throw new Error(response.body);
  return edge;
}

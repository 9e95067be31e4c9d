import type { InstanceCommand } from '../../src/domain/command.ts';
import type { Check } from '../../src/domain/instances/check.ts';
import { decideInstances } from '../../src/domain/instances/decide-instances.ts';
import type { InstanceEdit } from '../../src/domain/instances/edits.ts';
import type { Instance } from '../../src/domain/instances/instance.ts';
import { instanceName } from '../../src/domain/names.ts';
import { View } from '../../src/domain/view.ts';
import type { Claims } from '../../src/health/claims.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { Monitor } from '../../src/health/monitor.ts';
import type { Finding } from '../../src/health/probe.ts';
import type { Verdict } from '../../src/registry/commit-loop.ts';
import { RegistryUnavailable } from '../../src/registry/errors.ts';
import { MemoryLeaseServer } from '../support/memory-leases.ts';

export const TTL: Check = { type: 'ttl', ttl: '10s', initialStatus: 'passing', deregisterAfter: '10m' };
export const TCP: Check = {
  type: 'tcp',
  interval: '10s',
  timeout: '2s',
  unhealthyAfter: 3,
  healthyAfter: 1,
  initialStatus: 'passing',
  deregisterAfter: '10m',
};
export const CONCURRENCY = 10;
export const TIMEOUT_MS = 3000;
const idOf = (n: number): string => n.toString(16).padStart(24, '0');
export const turns = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await Promise.resolve();
};

/** Something to wait for until the test lets it go on. */
export function gate(): { readonly closed: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const closed = new Promise<void>((done) => (open = done));
  return { closed, open };
}

/** One node of several: what is its own is set by the test. */
export class Bench {
  readonly view = new View();
  readonly server = new MemoryLeaseServer(() => this.now);
  readonly other = this.server.open();
  readonly commands: InstanceCommand[] = [];
  readonly warnings: unknown[] = [];
  readonly started: number[] = [];
  readonly claims: { -readonly [K in keyof Claims]: Claims[K] } = {
    fence: 7,
    stands: true,
    owns: () => this.owned,
    ownsSlot: () => this.owned,
    sharedNow: 0,
    gapFrom: 0,
    undecidedFrom: undefined,
    awakeSince: Number.NEGATIVE_INFINITY,
    leasesRun: true,
    leasesRunSince: Number.NEGATIVE_INFINITY,
    timesLost: 0,
    heardAt: Number.NEGATIVE_INFINITY,
    wereOthersThere: () => false,
  };
  owned = true;
  now = 100_000;
  isFenced = false;
  /** What every commit waits for. */
  held: Promise<void> | undefined;
  finding: Finding['status'] = 'passing';
  /** What every check waits for. */
  hanging: Promise<void> | undefined;
  #revision = 0;
  #closeLeases: (() => Promise<void>) | undefined;
  monitor: Monitor;

  constructor() {
    this.claims.sharedNow = this.now;
    this.monitor = this.#begin();
  }

  #begin(): Monitor {
    const mine = this.server.open();
    const monitor = new Monitor({
      registry: {
        execute: async (command) => {
          this.commands.push(command);
          await Promise.resolve();
          await this.held;
          if (this.isFenced) throw new RegistryUnavailable('fenced', 1);
          return this.fold(command);
        },
      },
      view: () => this.view,
      claims: this.claims,
      leases: mine,
      prober: {
        probe: async () => {
          this.started.push(this.now);
          await this.hanging;
          return { status: this.finding, reason: 'It is.' };
        },
        forget: () => undefined,
      },
      limits: {
        enabled: true,
        concurrency: CONCURRENCY,
        guard: { min: 5, share: 0.5, windowMs: 60_000, holdMs: 60_000 },
        nodeTimeoutMs: TIMEOUT_MS,
      },
      metrics: {
        checks: { inc: () => undefined },
        lateness: { observe: () => undefined },
        expired: { inc: () => undefined },
        transitions: { inc: () => undefined },
      },
      log: { info: () => undefined, warn: (text: unknown) => this.warnings.push(text), error: () => undefined },
      now: () => this.now,
      clock: () => this.now,
      random: () => 0.5,
    });
    mine.listen({
      onAway: () => monitor.leasesAway(),
      onBack: () => monitor.leasesBack(),
      onLost: () => monitor.leasesLost(),
    });
    this.#closeLeases = () => mine.close();
    monitor.start();
    return monitor;
  }

  /** The process is killed. */
  async kill(): Promise<void> {
    this.monitor.stop();
    await this.#closeLeases?.();
  }

  /** Another one is in its place, which owns nothing yet, and knows what the view says. */
  startAgain(): void {
    this.owned = false;
    this.monitor = this.#begin();
  }

  fold(command: InstanceCommand): Verdict {
    const decision = decideInstances(this.view, command, this.#revision + 1);
    if (!decision.ok || decision.changes.length === 0) return { ...decision, revision: this.#revision } as Verdict;
    const revision = ++this.#revision;
    const folded = this.view.fold(decision.changes);
    this.monitor.onAdvance([{ entry: { revision, at: command.at, author: 'x', changes: decision.changes }, folded }]);
    return { ...decision, revision };
  }

  edit(...instances: InstanceEdit[]): void {
    this.fold({ caller: { kind: 'administrator', subject: 'test' }, at: this.now, instances });
  }

  register(n: number, check: Check, region?: string): string {
    const address = { address: '10.0.0.1', port: 1000 + n };
    const more = { weight: 1, tags: {}, metadata: {}, check };
    const place = { service: 'a.example', protocol: 'http', ...(region !== undefined && { region }) };
    const registration = { ...place, ...address, ...more };
    this.edit({ op: 'register', id: idOf(n), registration });
    return idOf(n);
  }

  /** Another node has heard it. */
  renewElsewhere(id: string, age = 0): Promise<void> {
    return this.other.renew([{ key: `${id}:${this.get(id)?.generation ?? 0}`, age }]);
  }

  /** From here on it is this node's, or another's, since `gapFrom`. */
  change(owned: boolean, gapFrom = this.now): void {
    this.owned = owned;
    this.claims.fence = (this.claims.fence ?? 0) + 1;
    this.claims.gapFrom = gapFrom;
    this.monitor.claimsChanged();
  }

  async run(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end;) {
      this.now += TICK_MS;
      this.claims.sharedNow = this.now;
      this.monitor.tick();
      await turns();
    }
  }

  get(id: string): Instance | undefined {
    const item = this.view.get(instanceName(id));
    return item?.kind === 'instance' ? item.value : undefined;
  }
}

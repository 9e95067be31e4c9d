import type { Instance } from '../../../src/domain/instances/instance.ts';
import type { Candidate } from '../../../src/sdk/discovery/balancers/balancer.ts';
import type { InstanceSource } from '../../../src/sdk/discovery/endpoint.ts';
import type { LiveEndpoint } from '../../../src/sdk/discovery/live-endpoint.ts';
import type { ServiceOptions } from '../../../src/sdk/discovery/options.ts';
import { Pool } from '../../../src/sdk/discovery/pool.ts';
import { settingsOf, type SettingsDefaults } from '../../../src/sdk/discovery/settings.ts';
import { Random } from '../../support/random.ts';

export function instance(n: number, about: Partial<Instance> = {}): Instance {
  return {
    name: `instances/${String(n).padStart(24, '0')}`,
    revision: 1,
    createTime: '2026-01-01T00:00:00Z',
    updateTime: '2026-01-01T00:00:00Z',
    service: 'orders.example.com',
    protocol: 'http',
    address: `10.0.0.${n}`,
    port: 8080,
    weight: 1,
    registeredWeight: 1,
    tags: {},
    metadata: {},
    check: { type: 'ttl', ttl: '15s', initialStatus: 'passing', deregisterAfter: '1m' },
    detectionBound: '20s',
    generation: 1,
    passing: true,
    status: 'passing',
    statusSince: '2026-01-01T00:00:00Z',
    statusReason: 'It was heard of.',
    mode: 'serving',
    ...about,
  };
}

export const instances = (count: number, about: Partial<Instance> = {}): Instance[] =>
  Array.from({ length: count }, (_, n) => instance(n, about));

export interface Stub extends Candidate {
  outstanding: number;
  latencyMs: number;
  usable: boolean;
}

export const stubs = (count: number, about: Partial<Stub> = {}): Stub[] =>
  instances(count).map(({ name }) => ({ name, outstanding: 0, latencyMs: 0, usable: true, ...about }));

/** How often each was answered, in the order of the list. */
export function countPicks<T>(list: readonly T[], picks: number, pick: () => T | undefined): number[] {
  const places = new Map(list.map((one, place) => [one, place]));
  const counts = list.map(() => 0);
  for (let n = 0; n < picks; n++) {
    const place = places.get(pick() as T);
    if (place === undefined) throw new Error('somebody was picked who is not on the list');
    counts[place] = (counts[place] as number) + 1;
  }
  return counts;
}

/** Pearson's statistic; `weights` are in proportion to what is expected. */
export function chiSquare(counts: readonly number[], weights: readonly number[] = counts.map(() => 1)): number {
  const picks = counts.reduce((sum, count) => sum + count, 0);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  return counts.reduce((sum, count, n) => {
    const expected = (picks * (weights[n] as number)) / whole;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** What the statistic of 10 cells (9 degrees of freedom) exceeds once in a thousand times by chance (NIST, table 1.3.6.7.4). */
export const CRITICAL_9 = 27.877;

export class Clock {
  ms = 1000;
  readonly now = (): number => this.ms;
}

export function poolOf(options: ServiceOptions, seed = 1, defaults: SettingsDefaults = {}) {
  const clock = new Clock();
  const random = new Random(seed);
  const pool = new Pool(settingsOf(options, defaults), {
    now: clock.now,
    random: () => random.next(),
    addresses: new Set(['10.0.0.1']),
    onEjected: () => {},
  });
  return { clock, pool, random };
}

/** A call that takes a time and then ends. */
export function call(endpoint: LiveEndpoint, outcome: 'ok' | 'failed', latencyMs = 5): void {
  endpoint.begin();
  endpoint.end(outcome, latencyMs);
}

/** A source that is told what it holds. */
export class TestSource implements InstanceSource {
  instances: readonly Instance[] | undefined;
  state: InstanceSource['state'] = 'loading';
  age = Infinity;
  readonly #listeners = new Set<() => void>();

  tell(about: Partial<Pick<TestSource, 'instances' | 'state' | 'age'>>): void {
    Object.assign(this, about);
    for (const listener of this.#listeners) listener();
  }

  holds(held: readonly Instance[]): void {
    this.tell({ instances: held, state: 'live', age: 0 });
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What the ones who wait were willing to wait. */
  readonly waits: (number | undefined)[] = [];

  ready({ timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.waits.push(timeoutMs);
    if (this.instances !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.onChange(() => {
        if (this.instances === undefined) return;
        stop();
        resolve();
      });
    });
  }

  close(): void {
    this.state = 'closed';
  }
}

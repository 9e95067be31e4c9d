import { now } from './clock.ts';

export const SERVICES = ['orders', 'prices', 'stock'] as const;
export type ServiceName = (typeof SERVICES)[number];

export const idOf = (service: ServiceName): string => `${service}.demo.example`;

/** A call that failed, as its caller saw it. */
export interface FailedCall {
  readonly service: ServiceName;
  readonly at: number;
  readonly why: string;
}

/** What a caller tells of its calls of a service (examples/demo/meter.mjs). */
interface Told {
  readonly service: string;
  readonly latencies: readonly number[];
  readonly retries: number;
  readonly failures: readonly { readonly at: number; readonly why: string }[];
}

export interface Row {
  readonly service: ServiceName;
  /** Instances that can be called. */
  readonly instances: number;
  readonly perSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly calls: number;
  readonly retries: number;
  readonly failed: number;
}

const WINDOW_MS = 5000;

class Calls {
  calls = 0;
  retries = 0;
  failed = 0;
  #recent: { readonly at: number; readonly count: number; readonly latencies: readonly number[] }[] = [];

  add(count: number, latencies: readonly number[]): void {
    this.calls += count;
    this.#recent.push({ at: now(), count, latencies });
  }

  row(service: ServiceName, instances: number): Row {
    const since = now() - WINDOW_MS;
    this.#recent = this.#recent.filter(({ at }) => at > since);
    const latencies = this.#recent.flatMap((each) => each.latencies).sort((a, b) => a - b);
    const count = this.#recent.reduce((sum, each) => sum + each.count, 0);
    const { calls, retries, failed } = this;
    const percentile = (share: number): number | null => latencies[Math.floor(latencies.length * share)] ?? null;
    const perSecond = (count * 1000) / WINDOW_MS;
    return { service, instances, perSecond, p50Ms: percentile(0.5), p99Ms: percentile(0.99), calls, retries, failed };
  }
}

/** What all callers have told so far. */
export class Figures {
  readonly failures: FailedCall[] = [];
  readonly #calls: Readonly<Record<ServiceName, Calls>> = {
    orders: new Calls(),
    prices: new Calls(),
    stock: new Calls(),
  };

  told(message: unknown): void {
    const { service: id, latencies, retries, failures } = message as Told;
    const service = SERVICES.find((name) => idOf(name) === id);
    if (service === undefined) return;
    this.add(service, { calls: latencies.length + failures.length, retries, latencies });
    for (const { at, why } of failures) this.fail({ service, at, why });
  }

  add(
    service: ServiceName,
    what: { readonly calls: number; readonly retries: number; readonly latencies: readonly number[] },
  ): void {
    const calls = this.#calls[service];
    calls.add(what.calls, what.latencies);
    calls.retries += what.retries;
  }

  fail(call: FailedCall): void {
    this.#calls[call.service].failed += 1;
    this.failures.push(call);
  }

  between(from: number, to: number): FailedCall[] {
    return this.failures.filter(({ at }) => at >= from && at < to);
  }

  rows(instancesOf: (service: ServiceName) => number): Row[] {
    return SERVICES.map((service) => this.#calls[service].row(service, instancesOf(service)));
  }
}

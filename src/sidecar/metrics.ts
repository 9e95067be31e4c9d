import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Downstream } from './ports.ts';
import type { Ended } from './proxy/forward.ts';

export type Direction = 'egress' | 'ingress';

/** Services that have series of their own; further ones, which only headers name, share `other`. */
const MAX_SERVICES = 1000;

export interface Sources {
  readonly connections: (direction: Direction) => number;
  readonly downstreams: () => readonly Pick<Downstream, 'id' | 'age' | 'ejections'>[];
  readonly backendIsHealthy: () => boolean | undefined;
}

/** What `/metrics` tells, in Prometheus' text format. */
export class SidecarMetrics {
  readonly registry = new Registry();
  /** By direction, status and service, with a space between; made series of when they are asked for. */
  readonly #counts = new Map<string, number>();
  readonly #durations: Histogram<'direction'>;
  readonly #retries: Counter<'service'>;
  readonly #services = new Set<string>();

  constructor(sources: Sources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    const requests: Counter = new Counter({
      name: 'sidecar_requests_total',
      help: 'Requests by how they ended: a class of statuses, cancelled by the caller, or cut half way.',
      labelNames: ['direction', 'service', 'status'],
      registers,
      collect: () => {
        requests.reset();
        for (const [key, count] of this.#counts) {
          const [direction = '', status = '', service = ''] = key.split(' ');
          requests.inc({ direction, service, status }, count);
        }
      },
    });
    this.#durations = new Histogram({
      name: 'sidecar_request_duration_seconds',
      help: 'From the header of a request to the end of its answer, or to its upgrade.',
      labelNames: ['direction'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    });
    this.#retries = new Counter({
      name: 'sidecar_retries_total',
      help: 'Attempts after the first.',
      labelNames: ['service'],
      registers,
    });
    gauge(this.registry, 'sidecar_connections', 'Connections to a listener.', 'direction', () =>
      (['egress', 'ingress'] as const).map((direction) => [direction, sources.connections(direction)]),
    );
    gauge(
      this.registry,
      'sidecar_snapshot_age_seconds',
      'Since the instances of a service were last known to be current.',
      'service',
      () => sources.downstreams().map(({ id, age }) => [this.#labelOf(id), age / 1000]),
    );
    gauge(
      this.registry,
      'sidecar_ejections',
      'Times that an instance of a service was left out for a while.',
      'service',
      () => sources.downstreams().map(({ id, ejections }) => [this.#labelOf(id), ejections]),
    );
    gauge(this.registry, 'sidecar_backend_healthy', '1 while the backend is healthy.', 'direction', () => {
      const healthy = sources.backendIsHealthy();
      return healthy === undefined ? [] : [['ingress', Number(healthy)]];
    });
  }

  ended(direction: Direction, service: string, ended: Ended, startedAt: number): void {
    const status = typeof ended === 'number' ? `${Math.floor(ended / 100)}xx` : ended;
    const key = `${direction} ${status} ${this.#labelOf(service)}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#durations.observe({ direction }, (performance.now() - startedAt) / 1000);
  }

  retried(service: string): void {
    this.#retries.inc({ service: this.#labelOf(service) });
  }

  #labelOf(service: string): string {
    if (this.#services.has(service)) return service;
    if (this.#services.size >= MAX_SERVICES) return 'other';
    this.#services.add(service);
    return service;
  }
}

/** Asked when it is read. */
function gauge(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  collect: () => readonly (readonly [string, number])[],
): void {
  const made: Gauge = new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect: () => {
      made.reset();
      for (const [value, number] of collect()) made.set({ [label]: value }, number);
    },
  });
}

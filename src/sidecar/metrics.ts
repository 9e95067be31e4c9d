import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { DurationHistogram, Durations } from './durations.ts';
import type { Downstream } from './ports.ts';
import type { Ended, Tally } from './proxy/forward.ts';

export type Direction = 'egress' | 'ingress';

/** Services that have series of their own; further ones, which only headers name, share `other`. */
const MAX_SERVICES = 1000;

export interface Sources {
  readonly connections: (direction: Direction) => number;
  readonly downstreams: () => readonly Pick<Downstream, 'id' | 'age' | 'ejections'>[];
  readonly backendIsHealthy: () => boolean | undefined;
  readonly isTurnedAway: () => boolean;
}

/** What `/metrics` tells, in Prometheus' text format. */
export class SidecarMetrics {
  readonly registry = new Registry();
  /** By direction, and by service within it; made series of when they are asked for. */
  readonly #tallies: Readonly<Record<Direction, Map<string, Counts>>> = { egress: new Map(), ingress: new Map() };
  readonly #durations = new Map<Direction, Durations>([
    ['egress', new Durations()],
    ['ingress', new Durations()],
  ]);
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
        for (const [direction, service, { byStatus }] of this.#counted()) {
          byStatus.forEach((count, at) => {
            if (count > 0) requests.inc({ direction, service, status: STATUSES[at] ?? '' }, count);
          });
        }
      },
    });
    const retries: Counter = new Counter({
      name: 'sidecar_retries_total',
      help: 'Attempts after the first.',
      labelNames: ['service'],
      registers,
      collect: () => {
        retries.reset();
        for (const [, service, { retries: count }] of this.#counted()) if (count > 0) retries.inc({ service }, count);
      },
    });
    const about = {
      name: 'sidecar_request_duration_seconds',
      help: 'From the header of a request to the end of its answer, or to its upgrade.',
    };
    this.registry.registerMetric(new DurationHistogram(about, this.#durations));
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
    const turnedAway: Gauge = new Gauge({
      name: 'sidecar_turned_away',
      help: '1 once Signalbox has turned the sidecar away for good: it goes on with what it knew then.',
      registers,
      collect: () => turnedAway.set(Number(sources.isTurnedAway())),
    });
  }

  /** Of the requests to one service. Whoever passes them on keeps it: nothing is looked up for each request. */
  tally(direction: Direction, service: string): Tally {
    const label = this.#labelOf(service);
    const durations = this.#durations.get(direction) ?? new Durations();
    const known = this.#tallies[direction].get(label) ?? new Counts(durations);
    this.#tallies[direction].set(label, known);
    return known;
  }

  *#counted(): Generator<readonly [Direction, string, Counts]> {
    for (const direction of ['egress', 'ingress'] as const) {
      for (const [service, counts] of this.#tallies[direction]) yield [direction, service, counts];
    }
  }

  #labelOf(service: string): string {
    if (this.#services.has(service)) return service;
    if (this.#services.size >= MAX_SERVICES) return 'other';
    this.#services.add(service);
    return service;
  }
}

/** What a status counts as, at its place: its first digit. */
const STATUSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx', 'cancelled', 'cut'];
const CANCELLED = 6;
const CUT = 7;

/** As numbers, since there is one to add at each request. */
class Counts implements Tally {
  readonly byStatus = new Float64Array(STATUSES.length);
  retries = 0;
  readonly #durations: Durations;

  constructor(durations: Durations) {
    this.#durations = durations;
  }

  ended(how: Ended, startedAt: number): void {
    const at = how === 'cancelled' ? CANCELLED : how === 'cut' ? CUT : Math.min(Math.floor(how / 100), 5);
    this.byStatus[at] = (this.byStatus[at] ?? 0) + 1;
    this.#durations.took(performance.now() - startedAt);
  }

  retried(): void {
    this.retries += 1;
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

import { Gauge } from 'prom-client';

/** Seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const LAST = BUCKETS.length;

/** How long requests of one direction took. Each request is one addition; Prometheus' form is made when it is asked for. */
export class Durations {
  /** By bucket, those of lower buckets not counted again; the last holds what is longer than all of them. */
  readonly counts = new Float64Array(LAST + 1);
  sum = 0;

  took(ms: number): void {
    const seconds = ms / 1000;
    this.sum += seconds;
    let at = 0;
    while (at < LAST && seconds > (BUCKETS[at] ?? 0)) at += 1;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
  }
}

type Family = Awaited<ReturnType<Gauge['get']>>;

/** The histogram of what was counted here. A gauge by class, since that of prom-client's histogram observes by itself, at ten times the price. */
export class DurationHistogram extends Gauge {
  readonly #about: { readonly name: string; readonly help: string };
  readonly #byDirection: ReadonlyMap<string, Durations>;

  constructor(about: { readonly name: string; readonly help: string }, byDirection: ReadonlyMap<string, Durations>) {
    super({ ...about, labelNames: ['direction', 'le'], registers: [] });
    this.#about = about;
    this.#byDirection = byDirection;
  }

  override get(): Promise<Family> {
    const { name } = this.#about;
    const values = [...this.#byDirection].flatMap(([direction, { counts, sum }]) => {
      let total = 0;
      const buckets = [...counts].map((count, at) => {
        total += count;
        const le = String(BUCKETS[at] ?? '+Inf');
        return { metricName: `${name}_bucket`, labels: { direction, le }, value: total };
      });
      const labels = { direction };
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: total },
      ];
    });
    const family: unknown = { ...this.#about, type: 'histogram', values, aggregator: 'sum' };
    return Promise.resolve(family as Family);
  }
}

import type { Metric, Registry } from 'prom-client';

const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const NAME = 'signalbox_http_request_duration_seconds';

interface Cell {
  readonly labels: { readonly method: string; readonly route: string; readonly status: string };
  readonly buckets: number[];
  count: number;
  sum: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * The durations of requests by route, method and status. A histogram of prom-client looks its labels up on every
 * observation; here each route holds on to its own numbers.
 */
export class RequestMetrics {
  readonly name = NAME;
  readonly help = 'Seconds from the arrival of a request to the start of its answer';
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #cells: Cell[] = [];

  constructor(registry: Registry) {
    // The type asks for one of the library's own classes; what it does is call `get`.
    registry.registerMetric(this as unknown as Metric);
  }

  /** Where a route puts its observations. */
  series(method: string, route: string): RouteSeries {
    return new RouteSeries((status) => {
      const labels = { method, route, status: String(status) };
      const cell: Cell = { labels, buckets: BOUNDS.map(() => 0), count: 0, sum: 0 };
      this.#cells.push(cell);
      return cell;
    });
  }

  get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values: this.#cells.flatMap(samplesOf) });
  }

  reset(): void {
    for (const cell of this.#cells) {
      cell.buckets.fill(0);
      cell.count = 0;
      cell.sum = 0;
    }
  }
}

export class RouteSeries {
  readonly #open: (status: number) => Cell;
  readonly #byStatus = new Map<number, Cell>();

  constructor(open: (status: number) => Cell) {
    this.#open = open;
  }

  observe(status: number, seconds: number): void {
    let cell = this.#byStatus.get(status);
    if (cell === undefined) this.#byStatus.set(status, (cell = this.#open(status)));
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket++;
    if (bucket < BOUNDS.length) cell.buckets[bucket] = (cell.buckets[bucket] as number) + 1;
    cell.count++;
    cell.sum += seconds;
  }
}

function samplesOf({ labels, buckets, count, sum }: Cell): Sample[] {
  let below = 0;
  const samples = BOUNDS.map((le, i): Sample => {
    below += buckets[i] as number;
    return { metricName: `${NAME}_bucket`, labels: { le, ...labels }, value: below };
  });
  samples.push({ metricName: `${NAME}_bucket`, labels: { le: '+Inf', ...labels }, value: count });
  samples.push({ metricName: `${NAME}_sum`, labels, value: sum });
  samples.push({ metricName: `${NAME}_count`, labels, value: count });
  return samples;
}

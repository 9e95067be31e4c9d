/** What `/metrics` says: by name, with the labels as they are written there. */
export type Metrics = ReadonlyMap<string, number>;

/** The server samples the delay of its event loop every so often, and counts that time in. */
const SAMPLING_MS = 10;

/** Begins anew what the server measures from one reading to the next, which is the delay of the event loop. */
export async function readMetrics(port: number): Promise<Metrics> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** How much a counter grew, over all of its labels. */
export function growthOf(name: string, before: Metrics, after: Metrics): number {
  let growth = 0;
  for (const [key, value] of after) {
    if (key === name || key.startsWith(`${name}{`)) growth += value - (before.get(key) ?? 0);
  }
  return growth;
}

/** Milliseconds that the event loop was late since the reading before this one. */
export function loopDelay(metrics: Metrics): { readonly p99: number; readonly max: number } {
  const late = (name: string): number =>
    Math.max(0, (metrics.get(`nodejs_eventloop_lag_${name}_seconds`) ?? NaN) * 1000 - SAMPLING_MS);
  return { p99: late('p99'), max: late('max') };
}

/** A share of what a histogram took in between two readings lies below this, as evenly spread over each bucket. */
export function percentileOf(name: string, share: number, before: Metrics, after: Metrics): number {
  const buckets = new Map<number, number>();
  for (const [key, count] of after) {
    const bound = key.startsWith(`${name}_bucket{`) ? /le="([^"]+)"/.exec(key)?.[1] : undefined;
    if (bound === undefined) continue;
    const le = bound === '+Inf' ? Infinity : Number(bound);
    buckets.set(le, (buckets.get(le) ?? 0) + count - (before.get(key) ?? 0));
  }
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const wanted = share * (buckets.get(Infinity) ?? NaN);
  let [lower, below] = [0, 0];
  for (const [le, count] of sorted) {
    if (count >= wanted) return le === Infinity ? le : lower + ((le - lower) * (wanted - below)) / (count - below);
    [lower, below] = [le, count];
  }
  throw new Error(`/metrics has no histogram ${name}`);
}

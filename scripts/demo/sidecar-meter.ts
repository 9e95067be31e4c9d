import { now } from './clock.ts';
import { idOf, SERVICES, type Figures } from './figures.ts';

/** What `/metrics` of a sidecar tells of the calls that go out through it: by series, as far as it is of use here. */
export function readSeries(text: string): Map<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(sidecar_(?:requests|retries)_total\{[^}]*\}) (\S+)$/.exec(line);
    if (match !== null) series.set(match[1] ?? '', Number(match[2]));
  }
  return series;
}

const WITHIN_MS = 1000;

/** Adds the calls that Python makes through its sidecars. */
export class SidecarMeter {
  readonly #figures: Figures;
  readonly #before = new Map<number, ReadonlyMap<string, number>>();

  constructor(figures: Figures) {
    this.#figures = figures;
  }

  async read(metricsPort: number): Promise<void> {
    const url = `http://127.0.0.1:${metricsPort}/metrics`;
    // One that starts or ends does not answer.
    const text = await fetch(url, { signal: AbortSignal.timeout(WITHIN_MS) })
      .then((answer) => answer.text())
      .catch(() => '');
    const before = this.#before.get(metricsPort) ?? new Map<string, number>();
    const series = readSeries(text);
    if (series.size === 0) return;
    this.#before.set(metricsPort, series);
    for (const [name, value] of series) this.#add(name, value - (before.get(name) ?? 0));
  }

  #add(series: string, count: number): void {
    const service = SERVICES.find((one) => series.includes(`service="${idOf(one)}"`));
    if (count <= 0 || service === undefined) return;
    if (series.startsWith('sidecar_retries'))
      return this.#figures.add(service, { calls: 0, retries: count, latencies: [] });
    // What comes in is counted by who calls.
    if (!series.includes('direction="egress"')) return;
    this.#figures.add(service, { calls: count, retries: 0, latencies: [] });
    // Of a call that its caller gave up it is not known how it would have ended.
    if (!/status="(?:5xx|cut)"/.test(series)) return;
    for (let n = 0; n < count; n += 1) this.#figures.fail({ service, at: now(), why: `through a sidecar: ${series}` });
  }
}

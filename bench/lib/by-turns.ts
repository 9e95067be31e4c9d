import { ranMs } from './cpu.ts';
import { connectAll, type HttpConnection } from './http-load.ts';
import { median } from './stats.ts';

/** What was done in one turn, and what it took. */
export interface Turn {
  readonly count: number;
  readonly seconds: number;
  /** That the server ran, on whatever core. */
  readonly cpuMs: number;
}

/** Two things that were done by turns, the second compared to the first. */
export interface Compared {
  /** The medians of what each did in a second. */
  readonly rates: readonly [number, number];
  /** Of the second to the first, the median over the pairs: neighbours in time have the same disturbances. */
  readonly ratio: number;
  /** Microseconds of the server's CPU for one, over all turns: others on the machine hardly touch it. */
  readonly cpuUs: readonly [number, number];
}

export interface Comparison {
  readonly what: string;
  readonly unit: 'per second' | 'ms';
  readonly compared: Compared;
  readonly note?: string;
}

/** Off, on, on, off, and so on: whoever comes second is not always the same. */
export async function byTurns(
  pairs: number,
  runs: readonly [() => Promise<Turn>, () => Promise<Turn>],
): Promise<Compared> {
  const turns: [Turn[], Turn[]] = [[], []];
  for (let pair = 0; pair < pairs; pair++) {
    for (const which of pair % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) turns[which].push(await runs[which]());
  }
  const rates = turns.map((of) => of.map(({ count, seconds }) => count / seconds)) as [number[], number[]];
  const cpu = turns.map((of) => {
    const sum = (key: keyof Turn): number => of.reduce((all, turn) => all + turn[key], 0);
    return (1000 * sum('cpuMs')) / sum('count');
  });
  return {
    rates: [median(rates[0]), median(rates[1])],
    ratio: median(rates[1].map((rate, pair) => rate / (rates[0][pair] ?? NaN))),
    cpuUs: [cpu[0] ?? NaN, cpu[1] ?? NaN],
  };
}

/** Connections to one server that ask for a while, again as soon as each is answered, and rest in between. */
export class Asking {
  readonly #pid: number;
  readonly #connections: readonly HttpConnection[];

  private constructor(pid: number, connections: readonly HttpConnection[]) {
    this.#pid = pid;
    this.#connections = connections;
  }

  static async connect({ port, child }: { port: number; child: { pid: number } }, count: number): Promise<Asking> {
    return new Asking(child.pid, await connectAll(port, count));
  }

  async ask(next: () => Buffer, durationMs: number): Promise<Turn> {
    const ran = ranMs(this.#pid);
    const started = performance.now();
    const until = started + durationMs;
    let count = 0;
    await Promise.all(
      this.#connections.map(
        (connection) =>
          new Promise<void>((resolve, reject) => {
            connection.onLost = reject;
            const answered = (status: number): void => {
              count += 1;
              if (status >= 300) reject(new Error(`answered ${status}:\n${connection.failure}`));
              else if (performance.now() < until) connection.send(next(), answered);
              else resolve();
            };
            connection.send(next(), answered);
          }),
      ),
    );
    return { count, seconds: (performance.now() - started) / 1000, cpuMs: ranMs(this.#pid) - ran };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

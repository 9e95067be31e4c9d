/**
 * The seeded histories of a simulation. `SIM_SEED=17` plays one of them again, `SIM_RUNS=5000` plays more than usual;
 * a simulation with other names for the two says its prefix.
 */
export interface Histories {
  seeds: readonly number[];
  /** One was asked for by its seed: nothing can be expected of what happens in it. */
  single: boolean;
  /** For Jest: it grows with the histories, and leaves a busy machine room. Only what hangs is meant to reach it. */
  timeoutMs: number;
  /** One after the other; the error of one that fails names its seed. */
  play(run: (seed: number) => Promise<void>): Promise<void>;
}

/** `eachMs`: far more than one takes where other tests run beside it. */
export function histories(usual: number, eachMs: number, prefix = 'SIM'): Histories {
  const only = process.env[`${prefix}_SEED`];
  const count = Number(process.env[`${prefix}_RUNS`] ?? usual);
  const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];
  return {
    seeds,
    single: only !== undefined,
    timeoutMs: 60_000 + seeds.length * eachMs,
    async play(run) {
      for (const seed of seeds) {
        try {
          await run(seed);
        } catch (error) {
          throw new Error(`${prefix}_SEED=${seed}: ${(error as Error).message}`, { cause: error });
        }
      }
    },
  };
}

import { byTurns, type Compared, type Turn } from './by-turns.ts';

/** Callers in this process that each call again when they are answered, for a while. */
async function called(call: () => Promise<unknown>, callers: number, durationMs: number): Promise<Turn> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const until = started + durationMs;
  let count = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < until) {
        await call();
        count += 1;
      }
    }),
  );
  const { user, system } = process.cpuUsage(cpu);
  return { count, seconds: (performance.now() - started) / 1000, cpuMs: (user + system) / 1000 };
}

/** Two ways to call, by turns; the CPU is that of this process. The first pairs warm up. */
export async function calledByTurns(
  pairs: number,
  callers: number,
  durationMs: number,
  ways: readonly [() => Promise<unknown>, () => Promise<unknown>],
): Promise<Compared> {
  const turns = [() => called(ways[0], callers, durationMs), () => called(ways[1], callers, durationMs)] as const;
  await byTurns(2, turns);
  return byTurns(pairs, turns);
}

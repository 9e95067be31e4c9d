import { Random } from '../support/random.ts';
import type { Way } from './link.ts';

/** One thing that goes wrong, for a while. `node` is the number of a node. */
export type Fault = { readonly forMs: number } & (
  | { readonly kind: 'kill' | 'stop' | 'pause' | 'partition' | 'cut-clients' | 'cut-postgres'; readonly node: number }
  | { readonly kind: 'refuse-redis'; readonly node: number }
  | {
      readonly kind: 'half-open-clients' | 'half-open-postgres' | 'half-open-redis';
      readonly node: number;
      readonly way: Way;
    }
  | {
      readonly kind: 'slow-clients' | 'slow-postgres' | 'slow-redis';
      readonly node: number;
      readonly ms: number;
      readonly jitterMs: number;
    }
  | { readonly kind: 'clock'; readonly node: number; readonly offBy: number }
  | { readonly kind: 'redis-kill' | 'redis-pause' | 'redis-kill-subscribers' }
  | { readonly kind: 'postgres-restart' | 'postgres-crash' | 'postgres-terminate' }
  | { readonly kind: 'cut-subscribers' | 'stampede' }
);

export type FaultKind = Fault['kind'];

/** What a fault is about: a node's number, or a server. */
export function targetOf(fault: Fault): string {
  if ('node' in fault) return `node-${fault.node}`;
  if (fault.kind.startsWith('redis')) return 'redis';
  return fault.kind.startsWith('postgres') ? 'postgres' : 'clients';
}

const HOUR_MS = 3_600_000;

interface Sort {
  readonly make: (random: Random, node: number, leaseMs: number) => Fault;
}

const of = (make: Sort['make']): Sort => ({ make });
const between = (random: Random, from: number, to: number): number => from + random.below(to - from);
const way = (random: Random): Way => random.pick(['up', 'down']);

/** Every sort of fault; a round has each of them once, in another order. */
const SORTS: readonly Sort[] = [
  of((random, node) => ({ kind: 'kill', node, forMs: between(random, 200, 4000) })),
  of((random, node) => ({ kind: 'stop', node, forMs: between(random, 0, 2000) })),
  of((random, node, leaseMs) => ({ kind: 'pause', node, forMs: leaseMs + between(random, 500, 3000) })),
  of((random, node) => ({ kind: 'partition', node, forMs: between(random, 1000, 6000) })),
  of((_random, node) => ({ kind: 'cut-clients', node, forMs: 0 })),
  of((_random, node) => ({ kind: 'cut-postgres', node, forMs: 0 })),
  of((random, node) => ({ kind: 'refuse-redis', node, forMs: between(random, 500, 4000) })),
  of((random, node) => ({ kind: 'half-open-clients', node, way: way(random), forMs: between(random, 1000, 4000) })),
  of((random, node) => ({ kind: 'half-open-postgres', node, way: way(random), forMs: between(random, 1000, 5000) })),
  of((random, node) => ({ kind: 'half-open-redis', node, way: way(random), forMs: between(random, 1000, 6000) })),
  of((random, node) => ({ kind: 'slow-clients', node, ms: 50, jitterMs: 150, forMs: between(random, 1000, 4000) })),
  of((random, node) => ({ kind: 'slow-postgres', node, ms: 20, jitterMs: 60, forMs: between(random, 1000, 4000) })),
  of((random, node) => ({ kind: 'slow-redis', node, ms: 50, jitterMs: 150, forMs: between(random, 1000, 4000) })),
  of((random, node) => ({
    kind: 'clock',
    node,
    offBy: random.pick([HOUR_MS, -HOUR_MS]),
    forMs: between(random, 1000, 5000),
  })),
  of((random) => ({ kind: 'redis-kill', forMs: between(random, 100, 5000) })),
  of((random) => ({ kind: 'redis-pause', forMs: between(random, 1000, 7000) })),
  of(() => ({ kind: 'redis-kill-subscribers', forMs: 0 })),
  of((random) => ({ kind: 'postgres-restart', forMs: between(random, 0, 3000) })),
  of((random) => ({ kind: 'postgres-crash', forMs: between(random, 0, 3000) })),
  of((random) => ({ kind: 'postgres-terminate', forMs: between(random, 200, 2000) })),
  of(() => ({ kind: 'cut-subscribers', forMs: 0 })),
  of((_random, _node, leaseMs) => ({ kind: 'stampede', forMs: leaseMs + 3000 })),
];

/** The share of steps in which two things go wrong at once. */
const TWO_AT_ONCE = 0.2;

/**
 * What goes wrong, step by step and without end: the same seed, the same faults. In each round every sort comes once before any
 * comes again. Two at once have different targets.
 */
export function* schedule(random: Random, nodes: number, leaseMs: number): Generator<readonly Fault[], never> {
  for (;;) {
    const round = shuffled(SORTS, random).map(({ make }) => make(random, random.below(nodes), leaseMs));
    while (round.length > 0) {
      const step = round.splice(0, random.chance(TWO_AT_ONCE) ? 2 : 1);
      const [first, second] = step;
      if (first === undefined) break;
      if (second === undefined || canBeTogether(first, second)) yield step;
      else yield* [[first], [second]];
    }
  }
}

/**
 * The schedule of a run, and how long all is left alone after each step, `quietMs` at most: nothing of it depends on how fast things
 * go.
 */
export function* timetable(
  seed: number,
  { nodes, leaseMs, quietMs }: { readonly nodes: number; readonly leaseMs: number; readonly quietMs: number },
): Generator<{ readonly step: readonly Fault[]; readonly quietMs: number }, never> {
  const random = new Random(seed);
  const steps = schedule(random, nodes, leaseMs);
  for (;;) yield { step: steps.next().value, quietMs: random.below(quietMs) };
}

const canBeTogether = (one: Fault, other: Fault): boolean => targetOf(one) !== targetOf(other);

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const rest = [...values];
  return values.map(() => rest.splice(random.below(rest.length), 1)[0] as T);
}

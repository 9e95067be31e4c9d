import { SERVICES, type ServiceName } from './figures.ts';

export type ActionKind = 'drain' | 'add' | 'stop' | 'restart' | 'kill' | 'kill-backend' | 'signalbox' | 'stop-unseen';

export interface Action {
  readonly kind: ActionKind;
  /** Undefined where it is about Signalbox itself. */
  readonly service: ServiceName | undefined;
}

/**
 * Nobody is to notice what is `graceful`. A `kill` costs what was under way, and what may not be repeated until callers know.
 * `unseen` is a stop of which nobody can be told, because Signalbox is away: hardly anything fails, but nothing is promised.
 */
export type Sort = 'graceful' | 'unseen' | 'kill';

export function sortOf({ kind }: Action): Sort {
  if (kind === 'kill' || kind === 'kill-backend') return 'kill';
  return kind === 'stop-unseen' ? 'unseen' : 'graceful';
}

/**
 * One round after the other: each has an action of every kind, each kind at another service than in the round before. What is added
 * is stopped again, and what is killed is replaced, so that a round ends with as many instances as it began with.
 */
export function* plan(random: () => number): Generator<Action, never> {
  const order = shuffled(SERVICES, random);
  const at = (n: number): ServiceName => order[n % order.length] as ServiceName;
  let backend = random() < 0.5;
  for (let round = 0; ; round += 1) {
    yield { kind: 'drain', service: at(round) };
    yield { kind: 'kill', service: at(round + 1) };
    yield { kind: 'add', service: at(round + 2) };
    yield { kind: 'stop', service: at(round + 2) };
    yield { kind: 'signalbox', service: undefined };
    yield { kind: 'restart', service: at(round + 1) };
    yield { kind: 'stop-unseen', service: at(round) };
    if (backend) yield { kind: 'kill-backend', service: 'stock' };
    backend = !backend;
  }
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const left = [...all];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}

/** mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

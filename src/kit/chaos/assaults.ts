import { readTimeLimit } from '../time-limit.ts';

export const ASSAULTS = ['exception', 'latency', 'memory', 'killapp'] as const;

export type AssaultName = (typeof ASSAULTS)[number];

/** One in `level` requests is struck, while `enabled` and not `bypass`. */
export interface Assault {
  readonly enabled: boolean;
  readonly bypass: boolean;
  readonly level: number;
}

/** Milliseconds by which a request is late: a random number from start to end. */
export interface LatencyAssault extends Assault {
  readonly latencyRangeStart: number;
  readonly latencyRangeEnd: number;
}

/** Memory is filled in steps up to a part of the limit, held, and released. Fractions are of the limit. */
export interface MemoryAssault extends Assault {
  readonly memoryMillisecondsHoldFilledMemory: number;
  readonly memoryMillisecondsWaitNextIncrease: number;
  readonly memoryFillIncrementFraction: number;
  readonly memoryFillTargetFraction: number;
}

export interface AssaultOf {
  exception: Assault;
  latency: LatencyAssault;
  memory: MemoryAssault;
  killapp: Assault;
}

const COMMON: Assault = { enabled: false, bypass: true, level: 10 };

/** light-4j's. */
export const DEFAULTS: AssaultOf = {
  exception: COMMON,
  latency: { ...COMMON, latencyRangeStart: 1000, latencyRangeEnd: 3000 },
  memory: {
    ...COMMON,
    memoryMillisecondsHoldFilledMemory: 90_000,
    memoryMillisecondsWaitNextIncrease: 1000,
    memoryFillIncrementFraction: 0.15,
    memoryFillTargetFraction: 0.25,
  },
  killapp: COMMON,
};

/** The least and the most of each number, and whether it is a whole one. */
const RANGES: Readonly<Record<string, readonly [least: number, most: number, whole: boolean]>> = {
  level: [1, 10_000, true],
  latencyRangeStart: [0, 600_000, true],
  latencyRangeEnd: [0, 600_000, true],
  memoryMillisecondsHoldFilledMemory: [1500, 3_600_000, true],
  memoryMillisecondsWaitNextIncrease: [100, 30_000, true],
  memoryFillIncrementFraction: [0.01, 1, false],
  memoryFillTargetFraction: [0.01, 0.95, false],
};

const LIGHT_4J = /^com\.networknt\.chaos\.(Exception|Latency|Memory|Killapp)AssaultHandler$/;

/** By its name, or by that of light-4j's handler. */
export function assaultNamed(text: string): AssaultName | undefined {
  const name = LIGHT_4J.exec(text)?.[1]?.toLowerCase() ?? text;
  return ASSAULTS.find((each) => each === name);
}

export interface Wanted<N extends AssaultName = AssaultName> {
  readonly config: AssaultOf[N];
  /** Milliseconds after which it turns itself off. */
  readonly forMs: number | undefined;
}

/** What is left out has its default, not what it was before. A text says what is wrong. */
export function readAssault<N extends AssaultName>(name: N, body: unknown): Wanted<N> | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'Send an object, such as {"enabled": true, "bypass": false, "level": 5, "for": "10m"}.';
  const { for: limit, until: _shown, ...fields } = body as Readonly<Record<string, unknown>>;
  const defaults: Readonly<Record<string, unknown>> = { ...DEFAULTS[name] };
  for (const [key, value] of Object.entries(fields)) {
    if (!Object.hasOwn(defaults, key))
      return `There is no such field; there are ${Object.keys(defaults).join(', ')}, for.`;
    const wrong = whyWrong(key, value);
    if (wrong !== undefined) return `${key}: ${wrong}.`;
  }
  const forMs = readTimeLimit(limit);
  if (typeof forMs === 'string') return `${forMs}.`;
  const config = { ...defaults, ...fields } as unknown as AssaultOf[N];
  if ('latencyRangeStart' in config && config.latencyRangeStart > config.latencyRangeEnd)
    return 'latencyRangeStart: not more than latencyRangeEnd.';
  return { config, forMs };
}

function whyWrong(key: string, value: unknown): string | undefined {
  const range = RANGES[key];
  if (range === undefined) return typeof value === 'boolean' ? undefined : 'true or false';
  const [least, most, whole] = range;
  const fits = typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value));
  return fits ? undefined : `a ${whole ? 'whole ' : ''}number from ${least} to ${most}`;
}

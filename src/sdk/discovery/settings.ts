import { oneOf, within } from '../checks.ts';
import type { BalanceName, EjectionOptions, LocalityName, ServiceOptions, SlowStartOptions } from './options.ts';

/** Options with every default filled in. */
export interface Settings {
  readonly balance: BalanceName;
  readonly prefer: LocalityName;
  readonly region: string | undefined;
  readonly zone: string | undefined;
  readonly overflow: number;
  readonly atLeast: number;
  readonly slowStart: Required<SlowStartOptions>;
  readonly ejection: Required<EjectionOptions> | undefined;
  readonly latencyDecayMs: number;
  readonly maxAge: number;
}

/** What the client knows that a service's options may leave out. */
export interface SettingsDefaults {
  readonly region?: string;
  readonly zone?: string;
  /** Milliseconds. Default: Infinity. */
  readonly maxAge?: number;
}

const BALANCES: readonly BalanceName[] = ['round-robin', 'weighted', 'least-outstanding', 'p2c', 'consistent-hash'];
const LOCALITIES: readonly LocalityName[] = ['any', 'near', 'local-first'];

const SLOW_START: Required<SlowStartOptions> = { windowMs: 30_000, from: 0.1 };
const EJECTION: Required<EjectionOptions> = {
  failures: 5,
  baseMs: 30_000,
  maxMs: 300_000,
  maxShare: 0.5,
  minLive: 1,
  outlierFactor: 1.9,
  outlierMs: 10_000,
  outlierCalls: 100,
};

/** @throws SignalboxError `invalid-options`, which names the option. */
export function settingsOf(options: ServiceOptions, defaults: SettingsDefaults): Settings {
  const balance = options.balance ?? 'p2c';
  oneOf('balance', balance, BALANCES);
  const locality = typeof options.locality === 'string' ? { prefer: options.locality } : (options.locality ?? {});
  const prefer = locality.prefer ?? (balance === 'consistent-hash' ? 'any' : 'near');
  oneOf('locality', prefer, LOCALITIES);
  const settings: Settings = {
    balance,
    prefer,
    region: locality.region ?? defaults.region,
    zone: locality.zone ?? defaults.zone,
    overflow: locality.overflow ?? 1.4,
    atLeast: locality.atLeast ?? 1,
    slowStart: options.slowStart === false ? { ...SLOW_START, windowMs: 0 } : { ...SLOW_START, ...options.slowStart },
    ejection: options.ejection === false ? undefined : { ...EJECTION, ...options.ejection },
    latencyDecayMs: options.latencyDecayMs ?? 10_000,
    maxAge: options.maxAge ?? defaults.maxAge ?? Infinity,
  };
  within('locality.overflow', settings.overflow, 1, 1000);
  within('locality.atLeast', settings.atLeast, 0, 100_000);
  within('slowStart.windowMs', settings.slowStart.windowMs, 0, DAY_MS);
  within('slowStart.from', settings.slowStart.from, 0.001, 1);
  within('latencyDecayMs', settings.latencyDecayMs, 1, DAY_MS);
  within('maxAge', settings.maxAge, 0, Infinity);
  if (settings.ejection !== undefined) checkEjection(settings.ejection);
  return settings;
}

const DAY_MS = 86_400_000;

function checkEjection(ejection: Required<EjectionOptions>): void {
  within('ejection.failures', ejection.failures, 1, 1_000_000);
  within('ejection.baseMs', ejection.baseMs, 1, DAY_MS);
  within('ejection.maxMs', ejection.maxMs, ejection.baseMs, DAY_MS);
  within('ejection.maxShare', ejection.maxShare, 0, 1);
  within('ejection.minLive', ejection.minLive, 1, 100_000);
  within('ejection.outlierFactor', ejection.outlierFactor, 0, 100);
  within('ejection.outlierMs', ejection.outlierMs, 100, DAY_MS);
  within('ejection.outlierCalls', ejection.outlierCalls, 1, 1_000_000);
}

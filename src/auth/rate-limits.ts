import { isIPv6 } from 'node:net';
import type { Caller } from '../domain/command.ts';
import { FULL, isShed, RATE_CLASSES, take, type Rate, type RateClass } from '../domain/rate.ts';

export interface RateLimitSettings {
  /** By class, for each caller; what is left out is not limited. */
  readonly rates: Readonly<Partial<Record<RateClass, Rate>>>;
  /** For each address that nobody is known at: requests without a credential, or with one that is not taken. */
  readonly unknown?: Rate;
  /** So late the event loop may be before anything is turned away; without it, nothing is for that. */
  readonly bearableLagMs?: number;
}

export interface RateLimitsDeps {
  readonly settings: RateLimitSettings;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** How late the event loop is, in milliseconds. */
  readonly lag: () => number;
  /** Told of every request that is turned away. */
  readonly refused: (rateClass: RateClass | 'unknown', why: 'caller' | 'node') => void;
  /** Callers, and addresses, whose buckets are remembered. */
  readonly maxRemembered?: number;
}

/** Why a request is turned away: the caller has asked for too much, or everyone has. */
export interface TurnedAway {
  readonly why: 'caller' | 'node';
  readonly rateClass: RateClass | 'unknown';
  /** Milliseconds after which asking again makes sense. */
  readonly waitMs: number;
}

const MAX_REMEMBERED = 20_000;
/** When a node that is late is asked again. */
const LATE_WAIT_MS = 1000;

/**
 * Who may ask how much. A caller has a bucket for each class, whatever number of tokens, sockets and addresses it uses; who
 * is not known has one for its address. Buckets are this node's own: with several nodes, each serves as much.
 */
export class RateLimits {
  readonly #deps: RateLimitsDeps;
  readonly #rates: readonly (Rate | undefined)[];
  readonly #callers: Remembered<Buckets>;
  readonly #addresses: Remembered<Buckets>;

  constructor(deps: RateLimitsDeps) {
    this.#deps = deps;
    const max = deps.maxRemembered ?? MAX_REMEMBERED;
    this.#rates = RATE_CLASSES.map((rateClass) => deps.settings.rates[rateClass]);
    this.#callers = new Remembered(max, () => RATE_CLASSES.map(() => FULL));
    this.#addresses = new Remembered(max, () => [FULL]);
  }

  /** One request of a caller who is known. An administrator is not turned away because the node is late, to be able to mend that. */
  caller(caller: Caller, rateClass: RateClass): TurnedAway | undefined {
    const { settings, lag } = this.#deps;
    if (caller.kind !== 'administrator' && settings.bearableLagMs !== undefined) {
      if (isShed(rateClass, lag(), settings.bearableLagMs)) return this.#refuse('node', rateClass, LATE_WAIT_MS);
    }
    const index = INDEX[rateClass];
    const rate = this.#rates[index];
    return rate === undefined ? undefined : this.#take(this.#callers.of(keyOf(caller)), index, rate, rateClass);
  }

  /** One request of nobody who is known. */
  unknown(address: string | undefined): TurnedAway | undefined {
    const { unknown } = this.#deps.settings;
    if (unknown === undefined) return undefined;
    return this.#take(this.#addresses.of(networkOf(address ?? '')), 0, unknown, 'unknown');
  }

  /** Whether one more request of nobody who is known would be turned away; takes nothing. */
  spent(address: string | undefined): TurnedAway | undefined {
    const { unknown } = this.#deps.settings;
    if (unknown === undefined) return undefined;
    const [state = FULL] = this.#addresses.of(networkOf(address ?? ''));
    const taken = take(state, this.#deps.now(), unknown);
    return taken.ok ? undefined : { why: 'caller', rateClass: 'unknown', waitMs: taken.waitMs };
  }

  #take(buckets: Buckets, index: number, rate: Rate, rateClass: TurnedAway['rateClass']): TurnedAway | undefined {
    const taken = take(buckets[index] ?? FULL, this.#deps.now(), rate);
    if (!taken.ok) return this.#refuse('caller', rateClass, taken.waitMs);
    buckets[index] = taken.state;
    return undefined;
  }

  #refuse(why: TurnedAway['why'], rateClass: TurnedAway['rateClass'], waitMs: number): TurnedAway {
    this.#deps.refused(rateClass, why);
    return { why, rateClass, waitMs };
  }
}

type Buckets = number[];

const INDEX: Readonly<Record<RateClass, number>> = { renew: 0, resume: 1, read: 2, list: 3, write: 4 };

/** No two callers have the same, whatever their subjects are. */
function keyOf(caller: Caller): string {
  return caller.kind === 'serviceAccount' ? caller.account : `${caller.kind} ${caller.subject}`;
}

/** Whoever has one IPv6 address has the whole /64. */
export function networkOf(address: string): string {
  if (!isIPv6(address) || /^::ffff:/i.test(address)) return address;
  const [head = '', tail] = address.split('::');
  const words = head === '' ? [] : head.split(':');
  const filled = tail === undefined ? words : [...words, '0', '0', '0', '0'];
  return `${filled.slice(0, 4).join(':')}::/64`;
}

/**
 * Remembers so many at most, and forgets those that were asked for longest ago: two generations, of which the older is
 * dropped whole, so that nothing is moved when something is asked for. A bucket that is forgotten is full again.
 */
class Remembered<T> {
  readonly #make: () => T;
  readonly #half: number;
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  constructor(max: number, make: () => T) {
    this.#half = Math.max(1, Math.floor(max / 2));
    this.#make = make;
  }

  of(key: string): T {
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const value = this.#old.get(key) ?? this.#make();
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
    return value;
  }
}

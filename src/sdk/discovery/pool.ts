import type { Instance } from '../../domain/instances/instance.ts';
import type { Balancer, Random } from './balancers/balancer.ts';
import type { Load } from './balancers/consistent-hash.ts';
import { createBalancer } from './balancers/create.ts';
import { CoarseClock } from './coarse-clock.ts';
import { Ejector } from './ejector.ts';
import type { Outcome } from './endpoint.ts';
import { EndpointSet, type SetChange } from './endpoint-set.ts';
import { hashOf } from './hash.ts';
import type { EndpointOwner, LiveEndpoint } from './live-endpoint.ts';
import type { Settings } from './settings.ts';
import { inUse, planTiers, type PlannedTier } from './plan.ts';
import { TIERS } from './tiers.ts';

/** Another than the ring's own, so that keys that go to one tier are spread over all of the ring. */
const TIER_SEED = 0x1b873593;
/** Latencies that nobody renews fade in steps of so many milliseconds. */
const FADE_STEP_MS = 1000;

export interface PoolDeps {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly random: Random;
  /** Of the caller's host. */
  readonly addresses: ReadonlySet<string>;
  readonly onEjected: (endpoint: LiveEndpoint, forMs: number) => void;
}

interface Tier {
  readonly balancer: Balancer<LiveEndpoint>;
  /** The loads up to and with this tier. */
  readonly upTo: number;
}

/**
 * The endpoints of one service, and which of them is next. What a pick needs is made when something changes: the list, an ejection,
 * or what time brings (a slow start goes on, an ejection ends), for which the clock is looked at now and then.
 */
export class Pool implements EndpointOwner {
  readonly load: Load = { outstanding: 0 };
  readonly decayMs: number;
  readonly now: () => number;
  readonly #settings: Settings;
  readonly #deps: PoolDeps;
  readonly #clock: CoarseClock;
  readonly #endpoints: EndpointSet;
  readonly #ejector: Ejector | undefined;
  readonly #balancers: readonly Balancer<LiveEndpoint>[];
  readonly #isRing: boolean;
  #tiers: readonly Tier[] = [];
  #probes: readonly LiveEndpoint[] = [];
  /** Those that any call may try. */
  #open: readonly LiveEndpoint[] = [];
  /** All that a usual pick needs; undefined while there is more to look at. */
  #plain: Balancer<LiveEndpoint> | undefined;
  #isChanged = true;
  #due = Infinity;

  constructor(settings: Settings, deps: PoolDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.decayMs = settings.latencyDecayMs;
    this.now = deps.now;
    this.#isRing = settings.balance === 'consistent-hash';
    this.#clock = new CoarseClock(deps.now);
    this.#endpoints = new EndpointSet(this);
    const { random, onEjected } = deps;
    if (settings.ejection !== undefined) {
      this.#ejector = new Ejector({ options: settings.ejection, random, onChange: () => this.#change(), onEjected });
    }
    this.#balancers = Array.from({ length: TIERS }, () => createBalancer(settings.balance, random, this.load));
  }

  get endpoints(): readonly LiveEndpoint[] {
    return this.#endpoints.all;
  }

  replace(instances: readonly Instance[]): SetChange {
    const change = this.#endpoints.update(instances, this.#clock.read());
    // At once, not at the next pick: balancers hold nobody who is gone.
    this.#plan(this.#clock.at);
    return change;
  }

  pick(key?: string, exclude?: ReadonlySet<unknown>): LiveEndpoint | undefined {
    if (this.#clock.tick() && this.#clock.at >= this.#due) this.#plan(this.#clock.at);
    const plain = this.#plain;
    return plain === undefined || exclude !== undefined ? this.#choose(key, exclude) : plain.pick(key);
  }

  ended(endpoint: LiveEndpoint, outcome: Outcome, now: number): void {
    this.#clock.told(now);
    this.#ejector?.ended(endpoint, outcome, now);
  }

  #choose(key: string | undefined, exclude: ReadonlySet<unknown> | undefined): LiveEndpoint | undefined {
    if (this.#isChanged) this.#plan(this.#clock.read());
    // A call that failed once is not risked a second time.
    const probe = exclude !== undefined ? undefined : this.#dueProbe();
    if (probe !== undefined) return this.#handedOut(probe);
    const balancer = this.#tierFor(key)?.balancer;
    const picked = balancer?.pick(key, exclude);
    if (exclude === undefined || (picked !== undefined && !exclude.has(picked))) return this.#handedOut(picked);
    return this.#handedOut(this.#another(exclude)) ?? picked ?? balancer?.pick(key);
  }

  #dueProbe(): LiveEndpoint | undefined {
    for (const endpoint of this.#open) if (endpoint.isProbeDue) return endpoint;
    return undefined;
  }

  #tierFor(key: string | undefined): Tier | undefined {
    if (this.#tiers.length < 2) return this.#tiers[0];
    const at = this.#isRing && key !== undefined ? hashOf(key, TIER_SEED) / 2 ** 32 : this.#deps.random();
    for (const tier of this.#tiers) if (at < tier.upTo) return tier;
    // Loads that are rounded may add up to a little less than 1.
    return this.#tiers.at(-1);
  }

  #handedOut(endpoint: LiveEndpoint | undefined): LiveEndpoint | undefined {
    if (endpoint?.phase === 'probing') this.#ejector?.handOut(endpoint, this.#clock.read());
    return endpoint;
  }

  /** For a call that others were tried for: who is near and has the least to do; who is left out only where nobody else is left. */
  #another(exclude: ReadonlySet<unknown>): LiveEndpoint | undefined {
    const untried = inUse(this.#endpoints.all).filter((endpoint) => !exclude.has(endpoint));
    const live = untried.filter(({ phase }) => phase === 'in');
    const from = live.length > 0 ? live : untried;
    const nearest = Math.min(...from.map(({ tier }) => tier));
    const near = from.filter(({ tier }) => tier === nearest);
    const least = Math.min(...near.map(({ outstanding }) => outstanding));
    const best = near.filter(({ outstanding }) => outstanding === least);
    return best[Math.floor(this.#deps.random() * best.length)];
  }

  #change(): void {
    this.#isChanged = true;
    this.#plain = undefined;
  }

  #plan(now: number): void {
    const members = inUse(this.#endpoints.all);
    const next = this.#ejector?.advance(members, now) ?? Infinity;
    const place = { ...this.#settings, addresses: this.#deps.addresses };
    const { tiers, nextStep } = planTiers(members, this.#settings, place, now);
    this.#admitUnasked(members, tiers, now);
    this.#tiers = this.#build(tiers);
    this.#probes = members.filter(({ phase }) => phase === 'probing');
    // On a ring, a probe is a call whose key belongs there; to a tier that takes no calls at present, none does.
    const planned = new Set(this.#isRing ? tiers.map(({ tier }) => tier) : []);
    this.#open = this.#probes.filter(({ tier }) => !planned.has(tier));
    this.#due = Math.min(next, nextStep, this.#fade(members, now));
    this.#isChanged = false;
    this.#plain = this.#tiers.length === 1 && this.#probes.length === 0 ? this.#tiers[0]?.balancer : undefined;
  }

  #build(tiers: readonly PlannedTier[]): Tier[] {
    let upTo = 0;
    return tiers.map(({ tier, load, members, weights }) => {
      const balancer = this.#balancers[tier] as Balancer<LiveEndpoint>;
      balancer.update(members, weights);
      upTo += load;
      return { balancer, upTo };
    });
  }

  /** No call goes as far as their tier, so there is none to try them with. */
  #admitUnasked(members: readonly LiveEndpoint[], tiers: readonly PlannedTier[], now: number): void {
    const farthest = tiers.at(-1)?.tier ?? 0;
    for (const endpoint of members) {
      if (endpoint.phase === 'probing' && endpoint.tier > farthest) this.#ejector?.admit(endpoint, now);
    }
  }

  #fade(members: readonly LiveEndpoint[], now: number): number {
    if (this.#settings.balance !== 'p2c' || members.length < 2) return Infinity;
    for (const endpoint of members) endpoint.fade(now);
    return now + FADE_STEP_MS;
  }
}

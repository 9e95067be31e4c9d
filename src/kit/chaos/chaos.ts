import { setTimeout as sleep } from 'node:timers/promises';
import type { KitLog } from '../log.ts';
import type { Timers } from '../timers.ts';
import { ASSAULTS, DEFAULTS, type Assault, type AssaultName, type AssaultOf, type Wanted } from './assaults.ts';
import type { Ballast } from './ballast.ts';

export interface ChaosDeps {
  readonly timers: Timers;
  /** From 0 to less than 1. */
  readonly random: () => number;
  readonly log: Pick<KitLog, 'warn' | 'fatal'>;
  readonly ballast: Pick<Ballast, 'take' | 'release'>;
  /** Ends the process at once, as a crash would. */
  readonly kill: () => void;
  readonly sleep?: (ms: number) => Promise<unknown>;
}

/** An assault as `/adm/chaosmonkey` shows it. */
export type Shown = Assault & { readonly until?: string };

/** The assaults on requests, all of them off until somebody turns one on. */
export class Chaos {
  /** Why none can be turned on; undefined where they can. */
  readonly forbidden: string | undefined;
  readonly #deps: ChaosDeps;
  readonly #configs: AssaultOf = { ...DEFAULTS };
  readonly #limits = new Map<AssaultName, { readonly until: number; readonly cancel: () => void }>();
  #active = false;

  constructor(forbidden: string | undefined, deps: ChaosDeps) {
    this.forbidden = forbidden;
    this.#deps = deps;
  }

  /** Whether there is anything to do for a request. */
  get active(): boolean {
    return this.#active;
  }

  list(): Readonly<Record<AssaultName, Shown>> {
    return Object.fromEntries(ASSAULTS.map((name) => [name, this.#show(name)])) as Record<AssaultName, Shown>;
  }

  /** Not to be called where it is forbidden. A time limit turns it off; one that is set anew begins anew. */
  set<N extends AssaultName>(name: N, { config, forMs }: Wanted<N>): Shown {
    if (this.forbidden !== undefined) throw new Error(`chaos is forbidden: ${this.forbidden}`);
    this.#limits.get(name)?.cancel();
    this.#limits.delete(name);
    this.#assign(name, config);
    if (forMs !== undefined && isOn(config)) {
      const cancel = this.#deps.timers.after(forMs, () => this.#off(name));
      this.#limits.set(name, { until: this.#deps.timers.wall() + forMs, cancel });
    }
    return this.#show(name);
  }

  /** Turns everything off and gives back what was taken. */
  close(): void {
    for (const name of ASSAULTS) this.#off(name);
  }

  /** What a request has to suffer: it is late, or ends with 'fail', or nothing happens to it. */
  async strike(): Promise<'pass' | 'fail'> {
    const { killapp, memory, latency, exception } = this.#configs;
    const { log, ballast, kill } = this.#deps;
    if (this.#hits(killapp)) {
      log.fatal({ chaos: 'killapp' }, 'chaos: killapp ends the process');
      kill();
      return 'fail';
    }
    if (this.#hits(memory)) ballast.take(memory);
    if (this.#hits(latency)) {
      const { latencyRangeStart: least, latencyRangeEnd: most } = latency;
      await (this.#deps.sleep ?? sleep)(least + Math.floor(this.#deps.random() * (most - least + 1)));
    }
    return this.#hits(exception) ? 'fail' : 'pass';
  }

  #hits(config: Assault): boolean {
    return isOn(config) && this.#deps.random() < 1 / config.level;
  }

  #off(name: AssaultName): void {
    this.#limits.get(name)?.cancel();
    this.#limits.delete(name);
    this.#assign(name, { ...this.#configs[name], enabled: false });
  }

  #assign<N extends AssaultName>(name: N, config: AssaultOf[N]): void {
    const was = isOn(this.#configs[name]);
    this.#configs[name] = config;
    this.#active = ASSAULTS.some((each) => isOn(this.#configs[each]));
    if (name === 'memory' && !isOn(config)) this.#deps.ballast.release();
    if (isOn(config)) this.#deps.log.warn({ chaos: name, config }, `chaos: ${name} is on`);
    else if (was) this.#deps.log.warn({ chaos: name }, `chaos: ${name} is off`);
  }

  #show(name: AssaultName): Shown {
    const until = this.#limits.get(name)?.until;
    return { ...this.#configs[name], ...(until !== undefined && { until: new Date(until).toISOString() }) };
  }
}

const isOn = ({ enabled, bypass }: Assault): boolean => enabled && !bypass;

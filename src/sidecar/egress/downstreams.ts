import type { Downstream, Network, Selection } from '../ports.ts';

/**
 * The services that are called, each found once and kept up to date from then on. Those of the routes stay; of those that only
 * headers name, the ones that were used last stay, so that no caller makes the sidecar watch ever more of them.
 */
export class Downstreams {
  readonly #network: Pick<Network, 'downstream' | 'address'>;
  readonly #max: number;
  readonly #timeoutMs: number;
  readonly #fixed = new Map<string, Downstream>();
  /** The longest unused first. */
  readonly #named = new Map<string, Downstream>();
  /** Of selections that are made once, so that those need no key. */
  readonly #bySelection = new WeakMap<Selection, Downstream>();
  readonly #addresses = new Map<string, ReturnType<Network['address']>>();

  constructor(
    network: Pick<Network, 'downstream' | 'address'>,
    options: { readonly maxNamed: number; readonly timeoutMs: number },
  ) {
    this.#network = network;
    this.#max = options.maxNamed;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Services that are looked after from the start. */
  prepare(selections: readonly Selection[]): readonly Downstream[] {
    return selections.map((selection) => {
      const key = keyOf(selection);
      const downstream = this.#fixed.get(key) ?? this.#network.downstream(selection);
      this.#fixed.set(key, downstream);
      return downstream;
    });
  }

  of(selection: Selection): Downstream {
    const seen = this.#bySelection.get(selection);
    if (seen !== undefined) return seen;
    const key = keyOf(selection);
    const fixed = this.#fixed.get(key);
    if (fixed !== undefined) {
      this.#bySelection.set(selection, fixed);
      return fixed;
    }
    const known = this.#named.get(key);
    const downstream = known ?? this.#network.downstream(selection);
    this.#named.delete(key);
    this.#named.set(key, downstream);
    if (this.#named.size > this.#max) this.#forgetOne();
    return downstream;
  }

  address(url: string): ReturnType<Network['address']> {
    const address = this.#addresses.get(url) ?? this.#network.address(url, { timeoutMs: this.#timeoutMs });
    this.#addresses.set(url, address);
    return address;
  }

  all(): Downstream[] {
    return [...this.#fixed.values(), ...this.#named.values()];
  }

  close(): void {
    for (const one of [...this.all(), ...this.#addresses.values()]) one.close();
  }

  #forgetOne(): void {
    for (const [key, downstream] of this.#named) {
      this.#named.delete(key);
      // Its calls come to their answers first.
      downstream.close();
      return;
    }
  }
}

const keyOf = ({ service, environment, version, protocol }: Selection): string =>
  JSON.stringify([service, environment, version, protocol]);

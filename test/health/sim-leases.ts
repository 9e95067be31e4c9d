import { LeasesAway, type Leases, type LeasesListener } from '../../src/leases/port.ts';
import type { SimNode } from './sim-node.ts';

/** The leases as one node reaches them: it can be cut off alone. */
export class NodeLeases implements Pick<Leases, 'renew' | 'read' | 'note' | 'forget'> {
  isCut = false;
  readonly #node: Pick<SimNode, 'travel'>;
  readonly #inner: Leases;
  readonly #listener: LeasesListener;
  #isAway = false;

  constructor(node: Pick<SimNode, 'travel'>, inner: Leases, listener: LeasesListener) {
    this.#node = node;
    this.#inner = inner;
    this.#listener = listener;
    inner.listen({
      onAway: (error) => this.#away(error),
      onBack: () => this.#back(),
      onLost: (reason) => listener.onLost(reason),
    });
  }

  renew: Leases['renew'] = (renewals) => this.#ask(() => this.#inner.renew(renewals));
  read: Leases['read'] = (keys) => this.#ask(() => this.#inner.read(keys));
  note: Leases['note'] = (notes) => this.#ask(() => this.#inner.note(notes));
  forget: Leases['forget'] = (keys) => this.#ask(() => this.#inner.forget(keys));

  async #ask<T>(run: () => Promise<T>): Promise<T> {
    await this.#node.travel();
    if (this.isCut) throw this.#away(new LeasesAway('cut off'));
    const answer = await run();
    await this.#node.travel();
    if (this.isCut) throw this.#away(new LeasesAway('cut off'));
    this.#back();
    return answer;
  }

  #away(error: unknown): unknown {
    if (!this.#isAway) this.#listener.onAway(error);
    this.#isAway = true;
    return error;
  }

  #back(): void {
    if (this.isCut || !this.#isAway) return;
    this.#isAway = false;
    this.#listener.onBack();
  }
}

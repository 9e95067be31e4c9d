import { FORGIVEN_MS, NEGLIGIBLE, penaltyAt, type Flapping } from '../domain/instances/flapping.ts';

const MAX_ENTRIES = 10_000;

/** The penalties of instances that are gone: whoever registers again is not forgiven for that (INS2). Bounded. */
export class GonePenalties {
  /** In the order in which they went. */
  readonly #gone = new Map<string, { readonly flapping: Flapping; readonly at: number }>();

  get size(): number {
    return this.#gone.size;
  }

  keep(id: string, flapping: Flapping | undefined, now: number): void {
    this.#gone.delete(id);
    if (flapping !== undefined && penaltyAt(flapping, now) >= NEGLIGIBLE) this.#gone.set(id, { flapping, at: now });
    for (const [oldest, { at }] of this.#gone) {
      if (this.#gone.size <= MAX_ENTRIES && now - at < FORGIVEN_MS) break;
      this.#gone.delete(oldest);
    }
  }

  take(id: string): Flapping | undefined {
    const kept = this.#gone.get(id);
    if (kept !== undefined) this.#gone.delete(id);
    return kept?.flapping;
  }
}

import type { Told } from './record.ts';

/**
 * Who was told of what, without a line for each of a thousand watchers: of every piece of news and every node the first, and of the
 * others those that a later one which had been watching for at least as long does not stand for. So whoever was told too
 * late is in it, or somebody at the same node who was told later still.
 */
export class ToldBook {
  readonly #first = new Map<string, Told>();
  /** By news and node: who came later had been watching for longer. */
  readonly #late = new Map<string, Told[]>();

  note(told: Told): void {
    const key = `${told.name} ${told.revision} ${told.node}`;
    const late = this.#late.get(key);
    if (late === undefined) {
      this.#first.set(key, told);
      this.#late.set(key, [told]);
      return;
    }
    while ((late.at(-1)?.since ?? -Infinity) >= told.since) late.pop();
    late.push(told);
  }

  get all(): Told[] {
    const all: Told[] = [];
    for (const [key, first] of this.#first) {
      const late = this.#late.get(key) ?? [];
      if (late[0] !== first) all.push(first);
      all.push(...late);
    }
    return all;
  }
}

import { changeOf } from '../../src/domain/change-of.ts';
import type { Change, Entry } from '../../src/domain/item.ts';
import type { Random } from '../support/random.ts';
import type { Model } from './checked-client.ts';
import { NAMES, randomItem } from './random-items.ts';

/** One to three revisions that follow `base`. */
export function randomEntries(random: Random, model: Model, base: number): Entry[] {
  const entries: Entry[] = [];
  const state = new Map(model.states.get(base));
  for (let n = 1 + random.below(3); n > 0; n--) {
    const revision = base + entries.length + 1;
    const changes: Change[] = [];
    const names = new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(NAMES)));
    for (const name of names) {
      const before = state.get(name);
      const after = before !== undefined && random.chance(0.3) ? undefined : randomItem(random, name, revision);
      changes.push(changeOf({ name, before, after }));
      if (after === undefined) state.delete(name);
      else state.set(name, after);
    }
    entries.push({ revision, at: revision, author: 'sim', changes });
  }
  return entries;
}

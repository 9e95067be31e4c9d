import type { Outcome } from './command.ts';
import type { Delta } from './delta.ts';
import { audienceOf, sees, type Sight } from './visibility.ts';

/**
 * What became of the resources that the caller sees, or saw before the command took them away or out of their sight. What
 * followed for others is not told (SEC3).
 */
export function seenOutcomes(
  outcomes: readonly Outcome[],
  sight: Sight | undefined,
  { before, after }: Pick<Delta, 'before' | 'after'>,
): readonly Outcome[] {
  if (sight === undefined || sight.keys === 'all') return outcomes;
  return outcomes.filter(({ before: was, after: is }) => {
    if (was === undefined && is === undefined) return true;
    if (was !== undefined && sees(sight, audienceOf(was, before))) return true;
    return is !== undefined && sees(sight, audienceOf(is, after));
  });
}

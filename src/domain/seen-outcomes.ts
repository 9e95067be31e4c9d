import type { Outcome } from './command.ts';
import type { Delta } from './delta.ts';
import { audienceOf, sees, type Sight } from './visibility.ts';

/** What became of the resources that a command changes: what its caller is told, and the rest (SEC3). */
export interface Outcomes {
  readonly outcomes: readonly Outcome[];
  readonly untold: readonly Outcome[];
}

/** A caller is told of what it sees, or saw before the command took it away or out of its sight. */
export function seenOutcomes(
  outcomes: readonly Outcome[],
  sight: Sight | undefined,
  { before, after }: Pick<Delta, 'before' | 'after'>,
): Outcomes {
  if (sight === undefined || sight.keys === 'all') return { outcomes, untold: NONE };
  const isTold = ({ before: was, after: is }: Outcome): boolean => {
    if (was === undefined && is === undefined) return true;
    if (was !== undefined && sees(sight, audienceOf(was, before))) return true;
    return is !== undefined && sees(sight, audienceOf(is, after));
  };
  const told = outcomes.filter(isTold);
  if (told.length === outcomes.length) return { outcomes, untold: NONE };
  return { outcomes: told, untold: outcomes.filter((outcome) => !isTold(outcome)) };
}

const NONE: readonly Outcome[] = [];

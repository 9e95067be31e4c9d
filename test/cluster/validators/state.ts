import type { State } from '../../acceptance/history.ts';
import type { Violation } from '../record.ts';

/** In the end every node has what the log makes, no more and no less. */
export function sameState(node: string, state: State, model: State): Violation[] {
  const names = new Set([...Object.keys(state), ...Object.keys(model)]);
  const different = [...names].filter((name) => JSON.stringify(state[name]) !== JSON.stringify(model[name]));
  if (different.length === 0) return [];
  const [name = ''] = different;
  const evidence = { different: different.slice(0, 10), has: state[name], shouldHave: model[name] };
  return [{ promise: 'REV2', what: `${node} differs from the log in ${different.length} resources`, evidence }];
}

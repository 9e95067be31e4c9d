import type { Caller } from '../domain/command.ts';
import type { Reader } from '../domain/view.ts';
import type { Action } from './actions.ts';
import type { Target } from './target.ts';

/**
 * Whether to a registrar the instance that it asks about is not there. Ids are made of addresses, so whoever could tell
 * another service's instance from one that is nobody's could find out where that runs (SEC3).
 */
export function isAbsentFor(caller: Caller, action: Action, target: Target | undefined, state: Reader): boolean {
  if (caller.kind !== 'registrar' || action !== 'instance.register' || target === undefined) return false;
  const item = state.get(target.name);
  return item?.kind !== 'instance' || item.value.service !== caller.service;
}

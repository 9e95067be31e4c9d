import type { Caller } from '../domain/command.ts';
import { allOf } from '../domain/lookup.ts';
import type { Reader } from '../domain/view.ts';
import type { Action } from './actions.ts';
import { authorize } from './authorize.ts';

/**
 * The ids of the services on which an action is the caller's to take; `all` for who may on everything, also on what is
 * of no service. Each is asked of `authorize`, so that what is whose is decided in one place.
 */
export function servicesOf(caller: Caller, action: Action, view: Reader): 'all' | readonly string[] {
  if (caller.kind === 'administrator' || caller.kind === 'signalbox') return 'all';
  const own: string[] = [];
  for (const { name, id } of allOf(view, 'service')) {
    if (authorize(caller, action, { name }, view).allowed) own.push(id);
  }
  return own;
}

import type { Caller } from '../domain/command.ts';
import { allOf } from '../domain/lookup.ts';
import type { Reader } from '../domain/view.ts';
import { authorize } from './authorize.ts';

/**
 * The ids of the services whose audit entries are a caller's to read; `all` for who reads every entry, those that are
 * about no service too. Each is asked of `authorize`, so that what is whose is decided in one place.
 */
export function servicesOf(caller: Caller, view: Reader): 'all' | readonly string[] {
  if (caller.kind === 'administrator' || caller.kind === 'signalbox') return 'all';
  const own: string[] = [];
  for (const { name, id } of allOf(view, 'service')) {
    if (authorize(caller, 'audit.read', { name }, view).allowed) own.push(id);
  }
  return own;
}

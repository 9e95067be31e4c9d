import type { Caller } from '../domain/command.ts';
import type { Action } from './actions.ts';

/** What an action is about: a resource's name, a collection's path, or nothing in particular. */
export type Target = string | undefined;

/** `detail` tells the caller, and nothing that the caller may not see. */
export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly detail: string };

export const ALLOWED: Verdict = { allowed: true };

/** The one place where a caller's right to do something is decided (SEC1). */
export function authorize(caller: Caller, action: Action, _target: Target): Verdict {
  // Until roles exist, only development mode's administrator may do anything.
  if (caller.kind === 'administrator') return ALLOWED;
  return { allowed: false, detail: `${caller.subject} may not do ${action}` };
}

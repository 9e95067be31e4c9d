import type { View } from '../domain/view.ts';
import { callerOf, type CallerFound } from './caller.ts';
import type { Identity } from './identity.ts';

interface Known {
  readonly accounts: object;
  readonly found: CallerFound;
}

const KNOWN = new WeakMap<Identity, Known>();

/**
 * Who a token's bearer is now, as `callerOf` says. It is looked up once and stands until a service account changes: an
 * account that is deleted is none at the very next request. The same caller is the same object, which knows its sight.
 */
export function knownCaller(identity: Identity, view: View): CallerFound {
  // Who registers is looked up by the service, which may change at any time.
  if (identity.registers !== undefined) return callerOf(identity, view);
  const { accounts } = view;
  const known = KNOWN.get(identity);
  if (known?.accounts === accounts) return known.found;
  const found = callerOf(identity, view);
  KNOWN.set(identity, { accounts, found });
  return found;
}

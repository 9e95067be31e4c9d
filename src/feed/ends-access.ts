import { changeKind, type AnyItem, type Change } from '../domain/item.ts';

/**
 * Whether a change may make somebody who is connected somebody else: accounts, and whose a service is. Another service of
 * the same name is other people's.
 */
export function mayEndAccess(change: Change, before: AnyItem | undefined): boolean {
  const kind = changeKind(change);
  if (kind === 'serviceAccount') return true;
  if (kind !== 'service') return false;
  if (before?.kind !== 'service' || change.op === 'delete' || change.item.kind !== 'service') return true;
  const left = change.item.value.owners ?? [];
  return (before.value.owners ?? []).some((group) => !left.includes(group));
}

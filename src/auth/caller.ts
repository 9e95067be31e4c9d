import type { Caller, Owned } from '../domain/command.ts';
import { byClient, bySubject, ownedBy } from '../domain/indexes.ts';
import type { Item } from '../domain/item.ts';
import { isEmpty, serviceOf } from '../domain/lookup.ts';
import type { Reader } from '../domain/view.ts';
import type { Identity } from './identity.ts';

export type CallerFound =
  { readonly ok: true; readonly caller: Caller } | { readonly ok: false; readonly detail: string };

/** Who without a token asks for what needs none. */
export const STRANGER: Caller = {
  kind: 'person',
  subject: 'anonymous',
  reader: false,
  owns: { apiIds: [], services: [], groups: [] },
};

/** Who a token's bearer is, as the catalog has it now: service accounts come and go while tokens live. */
export function callerOf(identity: Identity, state: Reader): CallerFound {
  const { subject, reader, owns, registers } = identity;
  const monitor = identity.monitor === true && ({ monitor: true } as const);
  if (registers !== undefined) return { ok: true, caller: registrarOf(identity, registers, state) };
  if (identity.administrator) return { ok: true, caller: { kind: 'administrator', subject } };
  const [account, another] = accountsOf(identity, state);
  if (account === undefined) return { ok: true, caller: { kind: 'person', subject, reader, owns, ...monitor } };
  if (another !== undefined) {
    const detail = `Several service accounts are ${subject}: an administrator has to leave one of them its subject and client id.`;
    return { ok: false, detail };
  }
  return { ok: true, caller: { kind: 'serviceAccount', subject, account: account.name, owns, ...monitor } };
}

/** A token ends with its service: whoever creates one of the same name later has not given it out. */
function registrarOf({ subject, owns, givenOutAt = 0 }: Identity, service: string, state: Reader): Caller {
  const item = serviceOf(state, service);
  const isSame = item !== undefined && Date.parse(item.value.createTime) <= givenOutAt;
  return isSame ? { kind: 'registrar', subject, service } : { kind: 'person', subject, reader: false, owns };
}

/** An account that names both a subject and a client id is only whoever has both. */
function accountsOf({ subject, clientId, projects }: Identity, state: Reader): Item<'serviceAccount'>[] {
  const found = new Map<string, Item<'serviceAccount'>>();
  const keys = clientId === undefined ? [bySubject(subject)] : [bySubject(subject), byClient(clientId)];
  for (const key of keys) {
    for (const item of state.bucket(key)) {
      if (item.kind !== 'serviceAccount' || projects?.includes(item.parent) === false) continue;
      const wanted = item.value;
      const isSubject = wanted.subject === undefined || wanted.subject === subject;
      const isClient = wanted.clientId === undefined || wanted.clientId === clientId;
      if (isSubject && isClient) found.set(item.name, item);
    }
  }
  return [...found.values()];
}

/** Whether a caller is anybody here; who is not is told nothing about what there is. */
export function belongs(caller: Caller, state: Reader): boolean {
  return caller.kind !== 'person' || caller.reader || isOwner(caller.owns, state);
}

/** Whether someone with these owns anything at all. Groups count once a service lists them. */
export function isOwner(owns: Owned | undefined, state: Reader): owns is Owned {
  if (owns === undefined) return false;
  if (owns.apiIds.length > 0 || owns.services.length > 0) return true;
  return owns.groups.some((group) => !isEmpty(state.bucket(ownedBy(group))));
}

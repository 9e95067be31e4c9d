import type { Caller, Permit, Wish } from '../domain/command.ts';
import { parseName, projectName, serviceName } from '../domain/names.ts';
import type { Reader } from '../domain/view.ts';
import type { Action } from './actions.ts';
import { isOwner } from './caller.ts';
import { RIGHTS, type Extent, type Role } from './rights.ts';
import { sightOf } from './sight.ts';
import { find, isHidden, type Found, type Target } from './target.ts';

/** `detail` tells the caller, and nothing that the caller may not see. */
export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly detail: string };

export const ALLOWED: Verdict = { allowed: true };

/**
 * The one place where a caller's right to do something is decided (SEC1). Without a target it is whether they may do it
 * to anything at all: what it is about is in a body that has not been read, and is decided when it has.
 */
export function authorize(caller: Caller, action: Action, target: Target | undefined, state: Reader): Verdict {
  if (caller.kind === 'administrator' || caller.kind === 'signalbox') return ALLOWED;
  const row = RIGHTS[action];
  let found: Found | undefined;
  for (const role of rolesOf(caller, state)) {
    const extent = row[role];
    if (extent === 'all') return ALLOWED;
    if (extent === 'none') continue;
    if (target === undefined) return ALLOWED;
    found ??= find(target, sightOf(caller), state);
    // What is no name is nobody's, and is answered as the mistake that it is.
    if (found === undefined || covers(caller, role, extent, action, found)) return ALLOWED;
  }
  return { allowed: false, detail: whyNot(caller, action, target) };
}

/** What a caller may change, for `Registry` to ask at the moment of the change; `undefined`: everything. */
export function permitOf(caller: Caller): Permit | undefined {
  if (caller.kind === 'administrator' || caller.kind === 'signalbox') return undefined;
  const sight = sightOf(caller);
  return (state, wishes) => {
    const created = createdBy(caller, wishes, state);
    for (const wish of wishes) {
      if (created.size > 0 && created.has(parentOf(wish.name) ?? '')) continue;
      const verdict = authorize(caller, wish.action, wish, state);
      // A command is decided on a state without what is hidden from its caller. Should one ever not be, it is refused.
      if (isHidden(wish.name, sight, state)) return whyNot(caller, wish.action, wish);
      if (!verdict.allowed) return verdict.detail;
    }
    return undefined;
  };
}

/** The services that these wishes create: what is put into them at the same time is the caller's own as well. */
function createdBy(caller: Caller, wishes: readonly Wish[], state: Reader): ReadonlySet<string> {
  const created = new Set<string>();
  for (const { action, name } of wishes) {
    if (action !== 'catalog.write' || parseName(name)?.kind !== 'service' || state.get(name) !== undefined) continue;
    if (authorize(caller, action, { name }, state).allowed) created.add(name);
  }
  return created;
}

function parentOf(name: string): string | undefined {
  const parts = parseName(name);
  if (parts?.parent === undefined || parts.kind === 'serviceAccount') return undefined;
  return serviceName(parts.parent);
}

type Bearer = Extract<Caller, { kind: 'serviceAccount' | 'person' | 'registrar' }>;
type OwnRole = Exclude<Role, 'administrator'>;

/** An account that is no longer in the catalog has no rights left, although its tokens and sockets may live on. */
function* rolesOf(caller: Bearer, state: Reader): Generator<OwnRole> {
  if (caller.kind === 'registrar') {
    yield 'registrar';
    yield 'stranger';
    return;
  }
  if (caller.kind === 'serviceAccount' && state.get(caller.account) !== undefined) yield 'account';
  if (caller.kind === 'person' && caller.reader) yield 'reader';
  if (caller.monitor === true) yield 'monitor';
  if (isOwner(caller.owns, state)) yield 'owner';
  yield 'stranger';
}

function covers(caller: Bearer, role: OwnRole, extent: Extent, action: Action, found: Found): boolean {
  // Deleting what is not there changes nothing, and is answered with 404.
  if (!found.exists && action === 'catalog.delete') return true;
  if (!found.exists && found.kind === 'service') return extent === 'theirs and new';
  if (!found.exists && action !== 'catalog.write' && found.service === undefined) return isOfService(found);
  if (role === 'account') {
    if (caller.kind !== 'serviceAccount' || found.project === undefined) return false;
    return caller.account.startsWith(`${projectName(found.project)}/`);
  }
  if (caller.kind === 'registrar') return found.service === caller.service;
  if (role !== 'owner' || caller.owns === undefined || found.service === undefined) return false;
  if (found.apiId !== undefined && caller.owns.apiIds.includes(found.apiId)) return true;
  const { groups, services } = caller.owns;
  return services.includes(found.service) || (found.owners ?? []).some((group) => groups.includes(group));
}

/** An instance that is not there has no service; whoever may do this to some may hear that it is not there. */
const isOfService = ({ kind }: Found): boolean => kind === 'instance' || kind === 'override';

const WHO: Readonly<Record<Extent, string>> = {
  all: '',
  theirs: 'the service accounts of its project and its API owners',
  'theirs and new': 'the service accounts of its project and its API owners',
  none: 'nobody else',
};

function whyNot({ subject }: Caller, action: Action, target: Target | undefined): string {
  const what = target === undefined ? action : `${action} on ${target.name.slice(0, 300)}`;
  return `${subject.slice(0, 200)} may not do ${what}: ${whoMay(action, target)} may.`;
}

function whoMay(action: Action, target: Target | undefined): string {
  const row = RIGHTS[action];
  if (row.account === 'all') return 'administrators, service accounts, API owners and readers';
  if (row.monitor === 'all') return 'administrators and monitoring';
  const ofService = target === undefined || isServices(target);
  return ofService && row.account !== 'none' ? `administrators, ${WHO[row.account]}` : 'administrators';
}

const isServices = ({ name }: Target): boolean => /^(?:services|instances)\//.test(name);

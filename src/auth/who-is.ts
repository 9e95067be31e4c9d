import type { Caller } from '../domain/command.ts';
import { parseName, projectName, serviceName } from '../domain/names.ts';
import { byApiId, referrersOf } from '../domain/indexes.ts';
import type { Reader } from '../domain/view.ts';
import { STRANGER } from './caller.ts';
import type { Role } from './rights.ts';

/** Who a caller is, in words that they can be told. */
export interface Who {
  readonly kind: 'administrator' | 'serviceAccount' | 'person' | 'registrar' | 'signalbox' | 'stranger';
  readonly subject: string;
  /** The service account's resource name, and its project. */
  readonly account?: string;
  readonly project?: string;
  readonly roles: readonly Role[];
  /** The ids of the services that are theirs and exist; of an administrator none, since all are. */
  readonly services: readonly string[];
}

export function whoIs(caller: Caller, state: Reader): Who {
  const { subject } = caller;
  if (caller === STRANGER) return { kind: 'stranger', subject, roles: ['stranger'], services: [] };
  switch (caller.kind) {
    case 'administrator':
    case 'signalbox':
      return { kind: caller.kind, subject, roles: ['administrator'], services: [] };
    case 'registrar':
      return { kind: caller.kind, subject, roles: ['registrar'], services: [caller.service] };
    case 'serviceAccount': {
      const project = parseName(caller.account)?.parent;
      const owned = ownedBy(caller, state);
      const roles: Role[] = owned.size > 0 ? ['account', 'owner'] : ['account'];
      for (const id of project === undefined ? [] : servicesOf(project, state)) owned.add(id);
      return {
        kind: caller.kind,
        subject,
        account: caller.account,
        ...(project !== undefined && { project }),
        roles,
        services: [...owned].sort(),
      };
    }
    case 'person': {
      const { apiIds, services } = caller.owns;
      const roles: Role[] = [];
      if (apiIds.length > 0 || services.length > 0) roles.push('owner');
      if (caller.reader) roles.push('reader');
      if (roles.length === 0) roles.push('stranger');
      return { kind: caller.kind, subject, roles, services: [...ownedBy(caller, state)].sort() };
    }
  }
}

function ownedBy({ owns }: Extract<Caller, { kind: 'person' | 'serviceAccount' }>, state: Reader): Set<string> {
  const found = new Set<string>();
  for (const apiId of owns?.apiIds ?? []) for (const item of state.bucket(byApiId(apiId))) found.add(item.id);
  for (const id of owns?.services ?? []) if (state.get(serviceName(id)) !== undefined) found.add(id);
  return found;
}

function* servicesOf(project: string, state: Reader): Generator<string> {
  for (const item of state.bucket(referrersOf(projectName(project)))) if (item.kind === 'service') yield item.id;
}

import { assignApiId } from './api-id.ts';
import type { Caller } from './command.ts';
import type { FieldError } from './errors.ts';
import { byApiId } from './indexes.ts';
import type { Item } from './item.ts';
import { parseName } from './names.ts';
import type { Identity } from './normalise.ts';
import type { Reader } from './view.ts';

type Raw = Readonly<Record<string, unknown>>;

const HOW_TO_NAME = 'projects/{project}/service-accounts/{account}';

/**
 * Who a new service is and whose (CAT2): created by a service account, it belongs to that account's project.
 * `state` is the draft so far, so that the services of one command get different apiIds.
 */
export function newIdentity(
  state: Reader,
  caller: Caller,
  service: string,
  revision: number,
  raw: Raw,
): Identity | FieldError[] {
  const errors: FieldError[] = [];
  const creator = creatorOf(caller, raw.creator, errors);
  const project = creator === undefined ? undefined : parseName(creator)?.parent;
  if (project !== undefined && raw.project !== undefined && raw.project !== project) {
    const detail = `a service belongs to its creator's project, which is ${project}: say so or leave the field out`;
    errors.push({ pointer: '/project', detail });
  }
  const apiId = apiIdOf(state, caller, raw.apiId, errors) ?? assignApiId(state, service, revision);
  if (errors.length > 0 || creator === undefined || project === undefined) return errors;
  return { apiId, project, creator, effectiveUses: [] };
}

/** Says what a document would change about a service that exists. Leaving a field out keeps it. */
export function keepsIdentity(before: Item<'service'>, raw: Raw): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['apiId', 'project', 'creator'] as const) {
    const kept = before.value[field];
    if (raw[field] !== undefined && raw[field] !== kept) {
      errors.push({ pointer: `/${field}`, detail: `cannot be changed: it is ${kept}; leave the field out to keep it` });
    }
  }
  return errors;
}

function creatorOf(caller: Caller, named: unknown, errors: FieldError[]): string | undefined {
  const fail = (detail: string): undefined => void errors.push({ pointer: '/creator', detail });
  if (caller.kind === 'serviceAccount') {
    if (named === undefined || named === caller.account) return caller.account;
    return fail(`a service account creates services in its own name: say ${caller.account} or leave the field out`);
  }
  if (caller.kind === 'person') return fail('only a service account creates services, in its own name');
  if (named === undefined) return fail(`a service is created by a service account: name it, as ${HOW_TO_NAME}`);
  const name = typeof named === 'string' ? named : '';
  return parseName(name)?.kind === 'serviceAccount'
    ? name
    : fail(`is not the name of a service account: write ${HOW_TO_NAME}`);
}

/** An administrator may bring an apiId along, so that an export can be applied to an empty registry. */
function apiIdOf(state: Reader, caller: Caller, named: unknown, errors: FieldError[]): string | undefined {
  if (named === undefined) return undefined;
  const fail = (detail: string): undefined => void errors.push({ pointer: '/apiId', detail });
  if (caller.kind !== 'administrator' || typeof named !== 'string') return fail('is assigned: leave the field out');
  for (const holder of state.bucket(byApiId(named))) {
    return fail(`is the apiId of ${holder.name}: leave the field out to have one assigned`);
  }
  return named;
}

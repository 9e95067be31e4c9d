import type { AnyItem } from '../domain/item.ts';
import { serviceOf } from '../domain/lookup.ts';
import { instanceName, parseName } from '../domain/names.ts';
import type { Kind } from '../domain/resources.ts';
import type { Reader } from '../domain/view.ts';
import { audienceOf, audienceOfService, sees, type Sight } from '../domain/visibility.ts';

/** What an action is about: one resource. `service` is there where the name does not say it. */
export interface Target {
  readonly name: string;
  readonly service?: string;
}

/** What a decision has to know about a target. */
export interface Found {
  readonly kind: Kind;
  /** The service that it is, or belongs to. */
  readonly service?: string;
  /** The project and the apiId of that service, if it is in the catalog. */
  readonly project?: string;
  readonly apiId?: string;
  /** The groups that own it. */
  readonly owners?: readonly string[];
  readonly exists: boolean;
}

/** Finds out about a target; `undefined` when its name cannot be a resource's. What is hidden is not there (SEC3). */
export function find({ name, service: named }: Target, sight: Sight, state: Reader): Found | undefined {
  const item = seen(name, sight, state);
  // What is asked most is about leases, and what stands there needs no name taken apart.
  if (item?.kind === 'instance') return ofService('instance', true, named ?? item.value.service, sight, state);
  const parts = parseName(name);
  if (parts === undefined) return undefined;
  const { kind, id, parent } = parts;
  const service = named ?? (kind === 'service' ? id : kind === 'serviceAccount' ? undefined : parent);
  return ofService(kind, item !== undefined, service ?? runsFor(item, id, kind, sight, state), sight, state);
}

function ofService(kind: Kind, exists: boolean, service: string | undefined, sight: Sight, state: Reader): Found {
  if (service === undefined) return { kind, exists };
  const owner = serviceOf(state, service);
  if (owner === undefined || !sees(sight, audienceOfService(owner))) return { kind, exists, service };
  const { project, apiId, owners } = owner.value;
  return { kind, exists, service, project, apiId, ...(owners !== undefined && { owners }) };
}

/** The service of an instance, and of an instance's override, which may be all that is left of it. */
function runsFor(item: AnyItem | undefined, id: string, kind: Kind, sight: Sight, state: Reader): string | undefined {
  if (kind !== 'instance' && kind !== 'override') return undefined;
  const instance = kind === 'instance' ? undefined : seen(instanceName(id), sight, state);
  if (instance?.kind === 'instance') return instance.value.service;
  return item?.kind === 'override' ? item.value.service : undefined;
}

function seen(name: string, sight: Sight, state: Reader): AnyItem | undefined {
  const item = state.get(name);
  return item !== undefined && sees(sight, audienceOf(item, state)) ? item : undefined;
}

/** Whether something stands under a name that the caller may not see. */
export function isHidden(name: string, sight: Sight, state: Reader): boolean {
  const item = state.get(name);
  return item !== undefined && !sees(sight, audienceOf(item, state));
}

import { serviceOf } from '../domain/lookup.ts';
import { instanceName, parseName } from '../domain/names.ts';
import type { Kind } from '../domain/resources.ts';
import { Masked } from '../domain/masked.ts';
import type { Reader } from '../domain/view.ts';
import { audienceOf, sees, type Sight } from '../domain/visibility.ts';

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
export function find({ name, service: named }: Target, sight: Sight, whole: Reader): Found | undefined {
  const state = seenBy(whole, sight);
  const parts = parseName(name);
  if (parts === undefined) return undefined;
  const { kind, id, parent } = parts;
  const exists = state.get(name) !== undefined;
  const service = named ?? (kind === 'service' ? id : kind === 'serviceAccount' ? undefined : parent);
  const known = service ?? runsFor(name, id, kind, state);
  if (known === undefined) return { kind, exists };
  const item = serviceOf(state, known);
  if (item === undefined) return { kind, exists, service: known };
  const { project, apiId, owners } = item.value;
  return { kind, exists, service: known, project, apiId, ...(owners !== undefined && { owners }) };
}

/** The service of an instance, and of an instance's override, which may be all that is left of it. */
function runsFor(name: string, id: string, kind: Kind, state: Reader): string | undefined {
  if (kind !== 'instance' && kind !== 'override') return undefined;
  const instance = state.get(instanceName(id));
  if (instance?.kind === 'instance') return instance.value.service;
  const override = state.get(name);
  return override?.kind === 'override' ? override.value.service : undefined;
}

const seenBy = (state: Reader, sight: Sight): Reader =>
  sight.keys === 'all' ? state : new Masked(state, (item) => !sees(sight, audienceOf(item, state)));

/** Whether something stands under a name that the caller may not see. */
export function isHidden(name: string, sight: Sight, state: Reader): boolean {
  const item = state.get(name);
  return item !== undefined && !sees(sight, audienceOf(item, state));
}

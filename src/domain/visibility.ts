import { bundlesOf, children } from './indexes.ts';
import type { AnyItem, Item } from './item.ts';
import { serviceOf } from './lookup.ts';
import type { Kind } from './resources.ts';
import type { Reader } from './view.ts';

/**
 * Who may see a resource: who has a key of each of these lists (SEC3). Without an audience it is public: everyone whom
 * the registry knows at all may see it. The keys are made of what never changes about a caller or a service, so an
 * audience that stands in the log says for ever who saw what.
 */
export type Audience = readonly (readonly string[])[];

/** The service accounts of a project. */
export const projectKey = (project: string): string => `p:${project}`;
/** API owners, by what their token says: `{apiId}.admin`, `{serviceId}/admin`, or a group of the identity provider. */
export const apiKey = (apiId: string): string => `a:${apiId}`;
export const serviceKey = (service: string): string => `s:${service}`;
export const groupKey = (group: string): string => `g:${group}`;

/** What a caller may see; callers with equal keys are alike, and share what is made for them (PUSH10). */
export interface Sight {
  /** Equal for equal sights. */
  readonly id: string;
  /** `all`: nothing is hidden. */
  readonly keys: ReadonlySet<string> | 'all';
}

export const EVERYTHING: Sight = { id: '*', keys: 'all' };

export function sightOf(keys: Iterable<string>): Sight {
  const sorted = [...new Set(keys)].sort();
  return { id: JSON.stringify(sorted), keys: new Set(sorted) };
}

export function sees({ keys }: Sight, audience: Audience | undefined): boolean {
  if (audience === undefined || keys === 'all') return true;
  return audience.every((clause) => clause.some((key) => keys.has(key)));
}

const AUDIENCES = new WeakMap<Item<'service'>, Audience>();

/** Private services are seen by the members of their project and of those that may import them, and by their owners. */
export function audienceOfService(item: Item<'service'>): Audience | undefined {
  if (item.value.public) return undefined;
  let audience = AUDIENCES.get(item);
  if (audience === undefined) AUDIENCES.set(item, (audience = audienceOfPrivate(item)));
  return audience;
}

function audienceOfPrivate({ id, value }: Item<'service'>): Audience {
  const { project, importers = [], apiId, owners = [] } = value;
  const projects = [project, ...importers].map(projectKey);
  return [[...projects, apiKey(apiId), serviceKey(id), ...owners.map(groupKey)]];
}

/** A service that is not in the catalog is nobody's, and nobody said that it is public. */
export function audienceOfServiceId(service: string, state: Reader): Audience | undefined {
  const item = serviceOf(state, service);
  return item === undefined ? [[serviceKey(service)]] : audienceOfService(item);
}

export function audienceOf(item: AnyItem, state: Reader): Audience | undefined {
  switch (item.kind) {
    case 'region':
    case 'project':
      return undefined;
    // Its subject and client id say whom to impersonate.
    case 'serviceAccount':
      return [[projectKey(item.parent)]];
    case 'service':
      return audienceOfService(item);
    case 'version':
    case 'resourceType':
    case 'deployment':
      return audienceOfServiceId(item.parent, state);
    case 'instance':
    case 'override':
    case 'advisory':
      return audienceOfServiceId(item.value.service, state);
    // It names all of its members.
    case 'bundle': {
      const clauses = item.value.members.flatMap((member) => audienceOfServiceId(member, state) ?? []);
      return clauses.length === 0 ? undefined : clauses;
    }
  }
}

export function sameAudience(a: Audience | undefined, b: Audience | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}

const OF_A_SERVICE: readonly Kind[] = ['version', 'resourceType', 'deployment', 'instance', 'override', 'advisory'];

/** What may be seen by others as soon as its service is. */
export function* followersOf(service: string, state: Reader): Iterable<AnyItem> {
  for (const kind of OF_A_SERVICE) yield* state.bucket(children(kind, service));
  yield* state.bucket(bundlesOf(service));
}

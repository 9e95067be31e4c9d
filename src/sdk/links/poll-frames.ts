import { makeItem, labelsOf } from '../../domain/item.ts';
import { ID_PATTERNS, parseName } from '../../domain/names.ts';
import { KINDS, type Kind, type Value } from '../../domain/resources.ts';
import { itemFacets, matches } from '../../domain/selector.ts';
import type { Select } from '../../protocol/frames.ts';
import type { LinkFrame } from '../connection/link.ts';
import type { Resource } from '../watch/watch.ts';

type ChangeFrame = Extract<LinkFrame, { type: 'change' }>;

/** What `GET /v1/changes` answers. */
export interface Changes {
  readonly to: number;
  readonly head: number;
  readonly changes: ChangeFrame['changes'];
}

/** A page of what a list answers; `GET /v1/services/{service}/instances` answers all in one. */
export interface ListPage {
  readonly items: readonly Resource[];
  readonly nextPageToken?: string;
  readonly revision: number;
}

/** What an answer is to the subscription. Nothing, where nothing came and its position has not moved. */
export function framesOf(topic: string, since: number, { to, changes }: Changes): readonly LinkFrame[] {
  if (changes.length > 0) return [{ type: 'change', topic, revision: to, changes: [...changes] }];
  return to > since ? [{ type: 'synced', topic, revision: to }] : [];
}

/**
 * Whole pages, each of a revision of its own, and every change since the earliest of them, make the state at the last of the
 * changes: what did not change meanwhile was listed exactly once, and of what did the last change says all.
 */
export class StateBuilder {
  readonly #items = new Map<string, Resource>();
  readonly #select: Select;

  constructor(select: Select) {
    this.#select = select;
  }

  page({ items }: Pick<ListPage, 'items'>): void {
    for (const item of items) if (isSelected(this.#select, item)) this.#items.set(item.name, item);
  }

  /** They select as the subscription does: what stops matching is a delete. */
  changes({ changes }: Pick<Changes, 'changes'>): void {
    for (const { op, key, value } of changes) {
      if (op === 'put') this.#items.set(key, value as Resource);
      else this.#items.delete(key);
    }
  }

  get items(): Resource[] {
    return [...this.#items.values()];
  }
}

function isSelected(select: Select, resource: Resource): boolean {
  if (parseName(resource.name) === undefined) return false;
  const item = makeItem(resource as unknown as Value, '');
  return matches(select, itemFacets(item), labelsOf(item));
}

const LISTS: Readonly<Record<Kind, readonly [path: string, service?: 'id' | 'parent' | 'service']>> = {
  region: ['/v1/regions'],
  project: ['/v1/projects'],
  serviceAccount: ['/v1/projects/-/service-accounts'],
  service: ['/v1/services', 'id'],
  version: ['/v1/services/-/versions', 'parent'],
  resourceType: ['/v1/services/-/resources', 'parent'],
  deployment: ['/v1/services/-/deployments', 'parent'],
  bundle: ['/v1/bundles'],
  instance: ['/v1/instances'],
  override: ['/v1/overrides', 'service'],
  advisory: ['/v1/advisories', 'service'],
};

const SERVICE = new RegExp(ID_PATTERNS.service);
/** A filter has so many characters at most, and so many values. */
const MAX_FILTER = 2000;
const MAX_VALUES = 100;

/** What has to be read for all that may be selected. Only by what never changes: the rest is looked at when it is here. */
export function listsOf({ kind, services }: Pick<Select, 'kind' | 'services'>): string[] {
  // What is no service's id has nothing.
  const ids = services === undefined ? undefined : [...new Set(services)].filter((id) => SERVICE.test(id));
  const kinds = kind === '*' ? KINDS : [kind];
  return kinds.flatMap((each) => listsOfKind(each, ids));
}

function listsOfKind(kind: Kind, services: readonly string[] | undefined): string[] {
  const [path, field] = LISTS[kind];
  if (services === undefined) return [`${path}?pageSize=1000`];
  if (kind === 'instance') return services.map((id) => `/v1/services/${id}/instances`);
  if (field === undefined || services.length === 0) return [];
  const filter = `${field} in (${services.map((id) => `"${id}"`).join(',')})`;
  const fits = filter.length <= MAX_FILTER && services.length <= MAX_VALUES;
  return [`${path}?pageSize=1000${fits ? `&filter=${encodeURIComponent(filter)}` : ''}`];
}

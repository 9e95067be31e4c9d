import { byKind, children, inRegion } from './indexes.ts';
import type { RuntimeFacets } from './instances/instance.ts';
import { labelsOf, type AnyItem, type Change } from './item.ts';
import { deploymentName, partsOf, regionName, serviceName } from './names.ts';
import { isCatalogKind, type Kind, type Labels } from './resources.ts';
import type { Catalog, Reader } from './view.ts';
import { sees, type Audience, type Sight } from './visibility.ts';

/**
 * What a subscription asks for. Every filter given must hold. An item that has no such facet does not match: `services`
 * selects services and all that belongs to them; `regions` selects regions, and what is in one; `labels` wants each of the
 * labels with exactly that value. The rest selects instances alone: by environment (empty for those without one),
 * protocol, version, tags like labels, and whether they can be called.
 */
export interface Selector {
  readonly kind: Kind | '*';
  readonly services?: readonly string[];
  readonly regions?: readonly string[];
  readonly labels?: Labels;
  readonly environments?: readonly string[];
  readonly protocols?: readonly string[];
  readonly versions?: readonly string[];
  readonly tags?: Labels;
  readonly passing?: boolean;
}

/** The canonical text of a selector: equal selections have equal topics, whatever the order they were written in. */
export function topicOf(selector: Selector): string {
  const filters: string[] = [];
  for (const filter of ['services', 'regions'] as const) addList(filters, filter, selector[filter]);
  addLabels(filters, 'labels', selector.labels);
  for (const filter of ['environments', 'protocols', 'versions'] as const) addList(filters, filter, selector[filter]);
  addLabels(filters, 'tags', selector.tags);
  if (selector.passing !== undefined) filters.push(`passing=${selector.passing}`);
  return filters.length === 0 ? selector.kind : `${selector.kind}?${filters.join('&')}`;
}

function addList(filters: string[], name: string, values: readonly string[] | undefined): void {
  if (values !== undefined) filters.push(`${name}=${list(values)}`);
}

function addLabels(filters: string[], name: string, labels: Labels | undefined): void {
  if (labels === undefined) return;
  filters.push(`${name}=${list(Object.entries(labels).map(([key, value]) => `${key}=${value}`))}`);
}

function list(values: readonly string[]): string {
  return [...new Set(values)]
    .sort()
    .map((value) => encodeURIComponent(value))
    .join(',');
}

/** What of a resource selectors look at, apart from its labels. */
export interface Facets {
  readonly kind: Kind;
  readonly service: string | undefined;
  readonly region: string | undefined;
  /** Of what runs: it may change, where the facets of the catalog follow from the name. */
  readonly runtime: RuntimeFacets | undefined;
}

/** Of a resource of the catalog. */
export function facetsOf(name: string): Facets {
  const { kind, id, parent } = partsOf(name);
  return catalogFacets(kind, id, parent);
}

function catalogFacets(kind: Kind, id: string, parent: string | undefined): Facets {
  switch (kind) {
    case 'service':
      return { kind, service: id, region: undefined, runtime: undefined };
    case 'version':
    case 'resourceType':
      return { kind, service: parent, region: undefined, runtime: undefined };
    case 'deployment':
      return { kind, service: parent, region: id, runtime: undefined };
    case 'region':
      return { kind, service: undefined, region: id, runtime: undefined };
    default:
      return { kind, service: undefined, region: undefined, runtime: undefined };
  }
}

const runtimeFacets = (kind: Kind, runtime: RuntimeFacets): Facets => ({
  kind,
  service: runtime.service,
  region: runtime.region,
  runtime,
});

/** An instance's value has the facets among its fields, so it serves as them. */
export const runtimeFacetsOf = (item: AnyItem): RuntimeFacets | undefined =>
  item.kind === 'instance' || item.kind === 'override' || item.kind === 'advisory' ? item.value : undefined;

export function itemFacets(item: AnyItem): Facets {
  const runtime = runtimeFacetsOf(item);
  return runtime === undefined ? catalogFacets(item.kind, item.id, item.parent) : runtimeFacets(item.kind, runtime);
}

/** The facets that a change is routed by: what it puts, or what it deletes. Kind and service never change. */
export function changeFacets(change: Change): Facets {
  if (change.op === 'put') return itemFacets(change.item);
  return change.facets === undefined ? facetsOf(change.name) : runtimeFacets(change.kind, change.facets);
}

export function matches(selector: Selector, facet: Facets, labels: Labels): boolean {
  if (selector.kind !== '*' && selector.kind !== facet.kind) return false;
  if (selector.services !== undefined) {
    if (facet.service === undefined || !selector.services.includes(facet.service)) return false;
  }
  if (selector.regions !== undefined) {
    if (facet.region === undefined || !selector.regions.includes(facet.region)) return false;
  }
  if (selector.labels !== undefined && !(isCatalogKind(facet.kind) && carries(labels, selector.labels))) return false;
  return selectsInstances(selector) ? matchesInstance(selector, facet, labels) : true;
}

/** Whether it has a filter that only instances can pass. */
const selectsInstances = ({ environments, protocols, versions, tags, passing }: Selector): boolean =>
  passing !== undefined ||
  environments !== undefined ||
  protocols !== undefined ||
  versions !== undefined ||
  tags !== undefined;

function matchesInstance(selector: Selector, { kind, runtime }: Facets, labels: Labels): boolean {
  if (kind !== 'instance' || runtime === undefined) return false;
  const { environments, protocols, versions, tags, passing } = selector;
  if (passing !== undefined && runtime.passing !== passing) return false;
  if (environments !== undefined && !environments.includes(runtime.environment ?? '')) return false;
  if (protocols !== undefined && !protocols.includes(runtime.protocol ?? '')) return false;
  if (versions !== undefined && !versions.includes(runtime.version ?? '')) return false;
  return tags === undefined || carries(labels, tags);
}

function carries(labels: Labels, wanted: Labels): boolean {
  for (const key in wanted) if (!Object.hasOwn(labels, key) || labels[key] !== wanted[key]) return false;
  return true;
}

/**
 * What a change is to a subscription, from the log alone: an item that stops matching or being seen is a delete, and one
 * that was neither and is neither is nothing.
 */
export function effectOn(
  selector: Selector,
  sight: Sight,
  change: Change,
  facet: Facets,
): 'put' | 'delete' | undefined {
  if (change.op === 'put' && sees(sight, change.audience) && matches(selector, facet, labelsOf(change.item)))
    return 'put';
  return hadBefore(selector, sight, change, facet) ? 'delete' : undefined;
}

/** Whether the subscription has had what a change replaces or deletes. False where the change takes nothing from anyone. */
function hadBefore(selector: Selector, sight: Sight, change: Change, facet: Facets): boolean {
  if (!sees(sight, audienceBeforeOf(change))) return false;
  const before = change.facets === undefined ? facet : runtimeFacets(facet.kind, change.facets);
  if (change.was !== undefined) return matches(selector, before, change.was);
  return change.op === 'put' && change.audienceBefore !== undefined && matches(selector, before, labelsOf(change.item));
}

/** Who could see what a change replaces or deletes, if there was something. */
export function audienceBeforeOf(change: Change): Audience | undefined {
  if (change.op === 'delete' || change.audienceBefore === undefined) return change.audience;
  return change.audienceBefore ?? undefined;
}

/** The items that a selector selects, in no particular order, without a scan where an index serves. */
export function* select(view: Reader & Pick<Catalog, 'all'>, selector: Selector): Iterable<AnyItem> {
  for (const item of candidates(view, selector)) {
    if (matches(selector, itemFacets(item), labelsOf(item))) yield item;
  }
}

const OF_A_SERVICE = ['version', 'resourceType', 'deployment', 'instance', 'override', 'advisory'] as const;

function* candidates(view: Reader & Pick<Catalog, 'all'>, selector: Selector): Iterable<AnyItem> {
  const { kind, services, regions } = selector;
  if (services !== undefined) {
    for (const service of new Set(services)) {
      const item = kind === '*' || kind === 'service' ? view.get(serviceName(service)) : undefined;
      if (item !== undefined) yield item;
      for (const child of OF_A_SERVICE) {
        if (child === kind || kind === '*') yield* inService(view, child, service, regions);
      }
    }
  } else if (regions !== undefined && (kind === 'region' || kind === 'deployment')) {
    for (const region of new Set(regions)) {
      const item = view.get(regionName(region));
      if (item !== undefined) yield item;
      yield* view.bucket(inRegion(region));
    }
  } else if (kind !== '*') {
    yield* view.bucket(byKind(kind));
  } else {
    yield* view.all();
  }
}

function* inService(
  view: Reader,
  kind: (typeof OF_A_SERVICE)[number],
  service: string,
  regions: readonly string[] | undefined,
): Iterable<AnyItem> {
  if (kind !== 'deployment' || regions === undefined) {
    yield* view.bucket(children(kind, service));
    return;
  }
  for (const region of new Set(regions)) {
    const item = view.get(deploymentName(service, region));
    if (item !== undefined) yield item;
  }
}

/**
 * Where a subscription listens: a change is offered only to the subscriptions under the routes of its own facets, so
 * that thousands of them for other services cost a change nothing.
 */
export function routesOf(selector: Selector): string[] {
  if (selector.services !== undefined) return [...new Set(selector.services)].map((service) => `s:${service}`);
  return [selector.kind === '*' ? '*' : `k:${selector.kind}`];
}

export function routesOfFacets(facet: Facets): string[] {
  const routes = ['*', `k:${facet.kind}`];
  if (facet.service !== undefined) routes.push(`s:${facet.service}`);
  return routes;
}

import { byKind, children, inRegion } from './indexes.ts';
import type { AnyItem, Change } from './item.ts';
import { deploymentName, partsOf, regionName, serviceName } from './names.ts';
import type { Kind, Labels } from './resources.ts';
import type { Reader, View } from './view.ts';

/**
 * What a subscription asks for. Every filter given must hold. An item that has no such facet does not match: `services`
 * selects services, versions, resource types and deployments; `regions` selects regions and deployments; `labels` wants
 * each of the labels with exactly that value.
 */
export interface Selector {
  readonly kind: Kind | '*';
  readonly services?: readonly string[];
  readonly regions?: readonly string[];
  readonly labels?: Labels;
}

/** The canonical text of a selector: equal selections have equal topics, whatever the order they were written in. */
export function topicOf(selector: Selector): string {
  const filters: string[] = [];
  if (selector.services !== undefined) filters.push(`services=${list(selector.services)}`);
  if (selector.regions !== undefined) filters.push(`regions=${list(selector.regions)}`);
  if (selector.labels !== undefined) {
    const pairs = Object.entries(selector.labels).map(([key, value]) => `${key}=${value}`);
    filters.push(`labels=${list(pairs)}`);
  }
  return filters.length === 0 ? selector.kind : `${selector.kind}?${filters.join('&')}`;
}

function list(values: readonly string[]): string {
  return [...new Set(values)]
    .sort()
    .map((value) => encodeURIComponent(value))
    .join(',');
}

/** What of a resource selectors look at, apart from its labels. It follows from the name and so never changes. */
export interface Facets {
  readonly kind: Kind;
  readonly service: string | undefined;
  readonly region: string | undefined;
}

export function facetsOf(name: string): Facets {
  const { kind, id, parent } = partsOf(name);
  return facets(kind, id, parent);
}

function facets(kind: Kind, id: string, parent: string | undefined): Facets {
  switch (kind) {
    case 'service':
      return { kind, service: id, region: undefined };
    case 'version':
    case 'resourceType':
      return { kind, service: parent, region: undefined };
    case 'deployment':
      return { kind, service: parent, region: id };
    case 'region':
      return { kind, service: undefined, region: id };
    default:
      return { kind, service: undefined, region: undefined };
  }
}

export const itemFacets = (item: AnyItem): Facets => facets(item.kind, item.id, item.parent);

export const changeFacets = (change: Change): Facets =>
  change.op === 'put' ? itemFacets(change.item) : facetsOf(change.name);

export function matches(selector: Selector, facet: Facets, labels: Labels): boolean {
  if (selector.kind !== '*' && selector.kind !== facet.kind) return false;
  if (selector.services !== undefined) {
    if (facet.service === undefined || !selector.services.includes(facet.service)) return false;
  }
  if (selector.regions !== undefined) {
    if (facet.region === undefined || !selector.regions.includes(facet.region)) return false;
  }
  if (selector.labels !== undefined) {
    for (const key in selector.labels) {
      if (!Object.hasOwn(labels, key) || labels[key] !== selector.labels[key]) return false;
    }
  }
  return true;
}

/**
 * What a change is to a subscription, from the log alone: an item that stops matching is a delete, and one that neither
 * matched nor matches is nothing.
 */
export function effectOn(selector: Selector, change: Change, facet: Facets): 'put' | 'delete' | undefined {
  if (change.op === 'put' && matches(selector, facet, change.item.value.labels)) return 'put';
  return change.was !== undefined && matches(selector, facet, change.was) ? 'delete' : undefined;
}

/** The items that a selector selects, in no particular order, without a scan where an index serves. */
export function* select(view: Reader & Pick<View, 'all'>, selector: Selector): Iterable<AnyItem> {
  for (const item of candidates(view, selector)) {
    if (matches(selector, itemFacets(item), item.value.labels)) yield item;
  }
}

const OF_A_SERVICE = ['version', 'resourceType', 'deployment'] as const;

function* candidates(view: Reader & Pick<View, 'all'>, selector: Selector): Iterable<AnyItem> {
  const { kind, services, regions } = selector;
  if (services !== undefined) {
    for (const service of new Set(services)) {
      const item = kind === '*' || kind === 'service' ? view.get(serviceName(service)) : undefined;
      if (item !== undefined) yield item;
      for (const child of OF_A_SERVICE) {
        if (child === kind || kind === '*') yield* inService(view, child, service, regions);
      }
    }
  } else if (regions !== undefined) {
    for (const region of new Set(regions)) {
      const item = view.get(regionName(region));
      if (item !== undefined) yield item;
      yield* view.bucket(inRegion(region));
    }
  } else if (kind === '*') {
    yield* view.all();
  } else {
    yield* view.bucket(byKind(kind));
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

import type { RuntimeFacets } from './instances/instance.ts';
import type { Touch } from './delta.ts';
import { labelsOf, type AnyItem, type Change } from './item.ts';
import type { Labels } from './resources.ts';
import { runtimeFacetsOf } from './selector.ts';

/** What the log says about one resource that a command has touched. */
export function changeOf({ name, before, after }: Touch): Change {
  if (after === undefined) {
    if (before === undefined) throw new Error(`nothing changes about ${name}`);
    return { op: 'delete', kind: before.kind, name, was: labelsOf(before), ...facetsBefore(before) };
  }
  if (before === undefined || selectsAlike(before, after)) return { op: 'put', item: after };
  return { op: 'put', item: after, was: labelsOf(before), ...facetsBefore(before) };
}

/** Copied out of the value, which has much more that the log need not say again. */
function facetsBefore(item: AnyItem): { facets?: RuntimeFacets } {
  const found = runtimeFacetsOf(item);
  if (found === undefined) return {};
  const { service, region, environment, protocol, version, passing } = found;
  return {
    facets: {
      service,
      ...(region !== undefined && { region }),
      ...(environment !== undefined && { environment }),
      ...(protocol !== undefined && { protocol }),
      ...(version !== undefined && { version }),
      ...(passing !== undefined && { passing }),
    },
  };
}

function selectsAlike(before: AnyItem, after: AnyItem): boolean {
  const a = runtimeFacetsOf(before);
  const b = runtimeFacetsOf(after);
  // Service, environment and protocol are what a resource is; they never change.
  if (a !== b && (a?.region !== b?.region || a?.version !== b?.version || a?.passing !== b?.passing)) return false;
  return sameLabels(labelsOf(before), labelsOf(after));
}

function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

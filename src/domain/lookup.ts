import { bundlesOf, byKind, children, importersOf } from './indexes.ts';
import type { Item } from './item.ts';
import { deploymentName, serviceName, versionName } from './names.ts';
import type { Kind } from './resources.ts';
import type { Reader } from './view.ts';

/** What the rules ask of a state, by its kind: an index key holds items of one kind, a name names one kind. */

export const serviceOf = (state: Reader, service: string): Item<'service'> | undefined =>
  state.get(serviceName(service)) as Item<'service'> | undefined;

export const versionOf = (state: Reader, service: string, version: string): Item<'version'> | undefined =>
  state.get(versionName(service, version)) as Item<'version'> | undefined;

export const deploymentOf = (state: Reader, service: string, region: string): Item<'deployment'> | undefined =>
  state.get(deploymentName(service, region)) as Item<'deployment'> | undefined;

export const allOf = <K extends Kind>(state: Reader, kind: K): Iterable<Item<K>> =>
  state.bucket(byKind(kind)) as Iterable<Item<K>>;

export const versionsOf = (state: Reader, service: string): Iterable<Item<'version'>> =>
  state.bucket(children('version', service)) as Iterable<Item<'version'>>;

export const deploymentsOf = (state: Reader, service: string): Iterable<Item<'deployment'>> =>
  state.bucket(children('deployment', service)) as Iterable<Item<'deployment'>>;

/** The versions that import a service. */
export const importingVersions = (state: Reader, service: string): Iterable<Item<'version'>> =>
  state.bucket(importersOf(service)) as Iterable<Item<'version'>>;

export const bundlesWith = (state: Reader, service: string): Iterable<Item<'bundle'>> =>
  state.bucket(bundlesOf(service)) as Iterable<Item<'bundle'>>;

export function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false;
  return true;
}

export const isRetired = (version: Item<'version'>): boolean => version.value.lifecycle.state === 'retired';

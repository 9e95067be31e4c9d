import type { Delta } from './delta.ts';
import type { Finding } from './finding.ts';
import type { Item } from './item.ts';
import { allOf, bundlesWith, importingVersions, versionsOf } from './lookup.ts';
import { serviceName } from './names.ts';
import type { Reader } from './view.ts';

/**
 * COV3 where a change may break it: around services that import something new, and around the members of a bundle that
 * loses one of them or is no longer deployed as one.
 */
export function checkCycles(delta: Delta, found: Finding[]): void {
  const suspects = new Set<string>();
  for (const { before, after } of delta.touches.values()) {
    if (after?.kind === 'version') {
      checkSelfImport(after, found);
      if (importsNew(delta.before, after)) suspects.add(after.parent);
    } else if (before?.kind === 'bundle' && before.value.rules.deployedTogether) {
      if (loosens(before, after?.kind === 'bundle' ? after : undefined)) {
        for (const member of before.value.members) suspects.add(member);
      }
    }
  }
  checkComponents(delta.after, suspects, found);
}

/** COV3 over the whole state. */
export function checkAllCycles(state: Reader, found: Finding[]): void {
  for (const version of allOf(state, 'version')) checkSelfImport(version, found);
  checkComponents(state, new Set(Array.from(allOf(state, 'version'), (version) => version.parent)), found);
}

/** The services that a service imports in any of its versions, itself left out. */
export function importsOf(state: Reader, service: string): Set<string> {
  const imported = new Set<string>();
  for (const version of versionsOf(state, service)) for (const one of version.value.imports) imported.add(one.service);
  imported.delete(service);
  return imported;
}

/** The services that import a service and are imported by it, both at any distance, with itself; sorted. */
export function componentOf(state: Reader, service: string): string[] {
  const below = reach(service, (one) => importsOf(state, one));
  if (!below.has(service)) return [service];
  const above = reach(service, (one) => Array.from(importingVersions(state, one), (version) => version.parent));
  return [...below].filter((one) => above.has(one)).sort();
}

function checkComponents(state: Reader, services: Iterable<string>, found: Finding[]): void {
  const seen = new Set<string>();
  for (const service of services) {
    if (seen.has(service)) continue;
    const component = componentOf(state, service);
    for (const member of component) seen.add(member);
    if (component.length > 1 && !deployedAsOne(state, component)) found.push(cycleAt(state, service, component));
  }
}

function deployedAsOne(state: Reader, component: readonly string[]): boolean {
  for (const { value } of bundlesWith(state, component[0] ?? '')) {
    if (value.rules.deployedTogether && component.every((service) => value.members.includes(service))) return true;
  }
  return false;
}

function cycleAt(state: Reader, importer: string, component: readonly string[]): Finding {
  const cycle = shortestCycle(state, importer, component);
  const imported = cycle[1] ?? importer;
  const message = `The imports form a cycle: ${cycle.join(' -> ')}. Only a bundle that is deployed together may contain one.`;
  const resource = serviceName(importer);
  const mentions = cycle.map(serviceName);
  return { mentions, violation: { code: 'import-cycle', rule: 'COV3', resource, importer, imported, message } };
}

/** The shortest way from a service back to itself, within its component. */
function shortestCycle(state: Reader, start: string, component: readonly string[]): string[] {
  const from = new Map<string, string>();
  const queue = [start];
  for (const service of queue) {
    for (const next of importsOf(state, service)) {
      if (next === start) return pathTo(from, start, service);
      if (!component.includes(next) || from.has(next)) continue;
      from.set(next, service);
      queue.push(next);
    }
  }
  return [start, start];
}

function pathTo(from: ReadonlyMap<string, string>, start: string, last: string): string[] {
  const path = [start];
  for (let at: string | undefined = last; at !== undefined && at !== start; at = from.get(at)) path.push(at);
  return [...path, start].toReversed();
}

/** Everything that `next` leads to from a service; the service itself only if it leads back. */
function reach(service: string, next: (service: string) => Iterable<string>): Set<string> {
  const reached = new Set<string>();
  const open = [service];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const one of next(at)) {
      if (reached.has(one)) continue;
      reached.add(one);
      open.push(one);
    }
  }
  return reached;
}

function importsNew(before: Reader, { parent, value }: Item<'version'>): boolean {
  if (value.imports.length === 0) return false;
  const had = importsOf(before, parent);
  return value.imports.some(({ service }) => service !== parent && !had.has(service));
}

function loosens(before: Item<'bundle'>, after: Item<'bundle'> | undefined): boolean {
  if (after === undefined || !after.value.rules.deployedTogether) return true;
  return before.value.members.some((member) => !after.value.members.includes(member));
}

function checkSelfImport({ name, parent, id, value }: Item<'version'>, found: Finding[]): void {
  for (const { service, version } of value.imports) {
    if (service !== parent) continue;
    const message = `${parent} ${id} imports ${service} ${version}, which is itself.`;
    const cycle = { importer: parent, importerVersion: id, imported: service, importedVersion: version };
    found.push({ violation: { code: 'self-import', rule: 'COV3', resource: name, ...cycle, message } });
  }
}

import type { Delta } from './delta.ts';
import type { Finding } from './finding.ts';
import { references, referrersOf } from './indexes.ts';
import type { AnyItem, Item } from './item.ts';
import { isRetired, versionOf } from './lookup.ts';
import { parseName, versionName } from './names.ts';
import type { Reader } from './view.ts';

/**
 * REF1: what a resource refers to exists, and what runs or is imported is not retired; CAT1: a deployment's region is
 * one of the catalog. Looks at what the change puts, and at what refers to the things that it deletes or retires.
 */
export function checkReferences(delta: Delta, found: Finding[]): void {
  const orphans = new Map<string, AnyItem>();
  for (const { name, before, after } of delta.touches.values()) {
    if (after !== undefined) checkReferencesOf(delta.after, after, found, delta.before);
    const retires = after?.kind === 'version' && before?.kind === 'version' && isRetired(after) && !isRetired(before);
    if (after !== undefined && !retires) continue;
    for (const referrer of delta.after.bucket(referrersOf(name))) {
      if (!delta.touches.has(referrer.name)) orphans.set(referrer.name, referrer);
    }
  }
  for (const referrer of orphans.values()) checkReferencesOf(delta.after, referrer, found, delta.before);
}

/** Every reference of one resource. What was there `before` is said to go, not to be unknown. */
export function checkReferencesOf(state: Reader, item: AnyItem, found: Finding[], before?: Reader): void {
  if (item.kind === 'version') checkImportsExist(state, item, found, before);
  if (item.kind === 'deployment') checkRunningVersion(state, item, found);
  for (const name of references(item)) {
    if (state.get(name) === undefined) {
      const violation = missing(item, name, before?.get(name) === undefined ? 'does not exist' : 'would be deleted');
      if (violation !== undefined) found.push({ about: name, violation });
    }
  }
}

function missing(item: AnyItem, name: string, why: string): Finding['violation'] | undefined {
  const parts = parseName(name);
  if (item.kind === 'version' && parts?.kind === 'version') return undefined;
  const resource = item.name;
  if (parts?.kind === 'region') {
    const code = 'region-missing';
    const region = parts.id;
    return { code, rule: 'CAT1', resource, region, message: `${resource} needs ${name}, which ${why}.` };
  }
  if (resource.startsWith(`${name}/`)) {
    const message = `${resource} belongs to ${name}, which ${why}.`;
    return { code: 'parent-missing', rule: 'REF1', resource, message };
  }
  if (item.kind === 'deployment' && name === versionName(item.parent, item.value.currentVersion)) {
    const message = `${item.parent} is to run ${item.value.currentVersion} in ${item.id}, and that version ${why}.`;
    return { code: 'version-missing', rule: 'REF1', resource, region: item.id, message };
  }
  const message = `${resource} refers to ${name}, which ${why}.`;
  return { code: 'reference-missing', rule: 'REF1', resource, message };
}

function checkImportsExist(state: Reader, importer: Item<'version'>, found: Finding[], before?: Reader): void {
  for (const { service, version } of importer.value.imports) {
    const name = versionName(service, version);
    const imported = state.get(name) as Item<'version'> | undefined;
    if (imported !== undefined && (!isRetired(imported) || isRetired(importer))) continue;
    const code = imported === undefined ? 'import-version-unknown' : 'import-version-retired';
    const why =
      imported !== undefined ? 'is retired' : before?.get(name) === undefined ? 'does not exist' : 'would be deleted';
    const message = `${importer.parent} ${importer.id} imports ${service} ${version}, which ${why}.`;
    found.push({
      about: name,
      violation: {
        code,
        rule: 'REF1',
        resource: importer.name,
        importer: importer.parent,
        importerVersion: importer.id,
        imported: service,
        importedVersion: version,
        message,
      },
    });
  }
}

function checkRunningVersion(state: Reader, { name, parent, id, value }: Item<'deployment'>, found: Finding[]): void {
  const running = versionOf(state, parent, value.currentVersion);
  if (running === undefined || !isRetired(running)) return;
  const message = `${parent} runs ${running.id} in ${id}, and ${running.id} is retired.`;
  const violation = { code: 'version-retired', rule: 'REF1', resource: name, region: id, message } as const;
  found.push({ about: running.name, violation });
}

import type { Delta } from './delta.ts';
import type { Finding } from './finding.ts';
import { referrersOf } from './indexes.ts';
import type { Item } from './item.ts';
import { allOf, importingVersions, serviceOf } from './lookup.ts';
import { serviceName } from './names.ts';
import type { Reader } from './view.ts';

/**
 * CAT4 where a change may break it: what a version imports and a service uses from now on, and everyone who imports or
 * uses a service that has become private, or whose `importers` have become fewer.
 */
export function checkConsent(delta: Delta, found: Finding[]): void {
  for (const { before, after } of delta.touches.values()) {
    if (after?.kind === 'version') {
      const had = before?.kind === 'version' ? new Set(before.value.imports.map(({ service }) => service)) : NOTHING;
      for (const { service } of after.value.imports) {
        if (!had.has(service)) checkImportConsent(delta.after, after, service, found);
      }
    } else if (after?.kind === 'service') {
      const had = before?.kind === 'service' ? new Set(before.value.uses) : NOTHING;
      for (const used of after.value.uses) if (!had.has(used)) checkUseConsent(delta.after, after, used, found);
      if (before?.kind === 'service' && allowsFewer(before, after)) checkThoseWhoNeed(delta.after, after.id, found);
    }
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/** All of CAT4. */
export function checkAllConsent(state: Reader, found: Finding[]): void {
  for (const { id } of allOf(state, 'service')) checkThoseWhoNeed(state, id, found);
}

/** Whether services of a project may import and use a service; what is not there needs no consent. */
export function allows(wanted: Item<'service'> | undefined, project: string | undefined): boolean {
  if (wanted === undefined || wanted.value.public || project === undefined) return true;
  return wanted.value.project === project || wanted.value.importers?.includes(project) === true;
}

function checkThoseWhoNeed(state: Reader, service: string, found: Finding[]): void {
  for (const version of importingVersions(state, service)) checkImportConsent(state, version, service, found);
  for (const user of state.bucket(referrersOf(serviceName(service)))) {
    if (user.kind === 'service' && user.value.uses.includes(service)) checkUseConsent(state, user, service, found);
  }
}

function checkImportConsent(state: Reader, importer: Item<'version'>, imported: string, found: Finding[]): void {
  const wanted = serviceOf(state, imported);
  const project = serviceOf(state, importer.parent)?.value.project;
  if (allows(wanted, project)) return;
  const message = `${importer.parent} ${importer.id} imports ${imported}, which is private and does not list ${project ?? ''} among its importers.`;
  found.push({
    about: serviceName(imported),
    violation: {
      code: 'import-not-allowed',
      rule: 'CAT4',
      resource: importer.name,
      importer: importer.parent,
      importerVersion: importer.id,
      imported,
      message,
    },
  });
}

function checkUseConsent(state: Reader, user: Item<'service'>, used: string, found: Finding[]): void {
  const { project } = user.value;
  if (allows(serviceOf(state, used), project)) return;
  const message = `${user.id} uses ${used}, which is private and does not list ${project} among its importers.`;
  found.push({
    about: serviceName(used),
    violation: { code: 'use-not-allowed', rule: 'CAT4', resource: user.name, imported: used, message },
  });
}

function allowsFewer({ value: before }: Item<'service'>, { value: after }: Item<'service'>): boolean {
  if (after.public) return false;
  return before.public || (before.importers ?? []).some((project) => after.importers?.includes(project) !== true);
}

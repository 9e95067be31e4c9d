import type { Delta } from './delta.ts';
import type { Finding } from './finding.ts';
import type { Item } from './item.ts';
import { deploymentOf, deploymentsOf, importingVersions, isRetired, versionOf, versionsOf } from './lookup.ts';
import { deploymentName } from './names.ts';
import type { Import } from './resources.ts';
import { compareVersions } from './versions.ts';
import type { Reader } from './view.ts';

export type ImportProblem = 'import-not-deployed' | 'import-disabled' | 'import-version-too-old';

/** Why a service does not serve one of its versions in a region; `undefined` when it does. */
export function importProblem(state: Reader, { service, version }: Import, region: string): ImportProblem | undefined {
  const deployment = deploymentOf(state, service, region)?.value;
  if (deployment === undefined) return 'import-not-deployed';
  if (deployment.disabled) return 'import-disabled';
  return compareVersions(version, deployment.currentVersion) > 0 ? 'import-version-too-old' : undefined;
}

/**
 * A deployment serves its current version and the older ones that the service still lists and has not retired. That the
 * current one is not retired is REF1's business: it counts, so that what it needs is said at once.
 */
export function serves(deployment: Item<'deployment'>, version: Item<'version'>): boolean {
  const order = compareVersions(version.id, deployment.value.currentVersion);
  return order === 0 || (order < 0 && !isRetired(version));
}

/**
 * COV1 where a change may break it: all imports of a service in the regions where the change alters what it runs, and
 * for a service that left a region, was disabled or lowered there, the imports of it in that region.
 */
export function checkCoverage(delta: Delta, found: Finding[]): void {
  const importers = new Map<string, Item<'deployment'>>();
  const weakened: { service: string; region: string }[] = [];
  for (const { before, after } of delta.touches.values()) {
    if (after?.kind === 'version') {
      if (before?.kind === 'version' && !needsMore(before, after)) continue;
      for (const deployment of deploymentsOf(delta.after, after.parent)) {
        if (serves(deployment, after)) importers.set(deployment.name, deployment);
      }
    } else if (after?.kind === 'deployment') {
      const old = before?.kind === 'deployment' ? before : undefined;
      if (old?.value.currentVersion !== after.value.currentVersion) importers.set(after.name, after);
      if (old !== undefined && weakens(old, after)) weakened.push({ service: after.parent, region: after.id });
    } else if (before?.kind === 'deployment') {
      weakened.push({ service: before.parent, region: before.id });
    }
  }
  for (const deployment of importers.values()) checkCoverageOf(delta.after, deployment, found);
  for (const { service, region } of weakened) checkImporters(delta.after, service, region, importers, found);
}

/** COV1 for everything that one deployment serves. A disabled one counts: it may be enabled at any time. */
export function checkCoverageOf(state: Reader, deployment: Item<'deployment'>, found: Finding[]): void {
  for (const version of versionsOf(state, deployment.parent)) {
    if (version.value.imports.length === 0 || !serves(deployment, version)) continue;
    for (const imported of version.value.imports) checkImport(state, version, imported, deployment.id, found);
  }
}

/** COV1 for the imports of one service in one region, but for the deployments that are looked at in full. */
function checkImporters(
  state: Reader,
  service: string,
  region: string,
  checked: ReadonlyMap<string, unknown>,
  found: Finding[],
): void {
  for (const version of importingVersions(state, service)) {
    const deployment = deploymentOf(state, version.parent, region);
    if (deployment === undefined || checked.has(deployment.name) || !serves(deployment, version)) continue;
    for (const imported of version.value.imports) {
      if (imported.service === service) checkImport(state, version, imported, region, found);
    }
  }
}

/** An import of what does not exist or is retired breaks REF1, once, and not COV1 in every region as well. */
function checkImport(
  state: Reader,
  importer: Item<'version'>,
  imported: Import,
  region: string,
  found: Finding[],
): void {
  if (imported.service === importer.parent) return;
  const problem = importProblem(state, imported, region);
  if (problem === undefined) return;
  const version = versionOf(state, imported.service, imported.version);
  if (version === undefined || isRetired(version)) return;
  const { service, version: importedVersion } = imported;
  const running = deploymentOf(state, service, region)?.value.currentVersion ?? '';
  const why = {
    'import-not-deployed': `${service} is not deployed there`,
    'import-disabled': `${service} is disabled there`,
    'import-version-too-old': `${service} runs only ${running} there`,
  }[problem];
  found.push({
    about: deploymentName(service, region),
    violation: {
      code: problem,
      rule: 'COV1',
      resource: importer.name,
      importer: importer.parent,
      importerVersion: importer.id,
      imported: service,
      importedVersion,
      region,
      message: `${importer.parent} ${importer.id} runs in ${region} and imports ${service} ${importedVersion}, but ${why}.`,
    },
  });
}

function needsMore(before: Item<'version'>, after: Item<'version'>): boolean {
  if (isRetired(before) && !isRetired(after)) return true;
  const had = new Map(before.value.imports.map(({ service, version }) => [service, version]));
  return after.value.imports.some(({ service, version }) => had.get(service) !== version);
}

const weakens = ({ value: before }: Item<'deployment'>, { value: after }: Item<'deployment'>): boolean =>
  (after.disabled && !before.disabled) || compareVersions(after.currentVersion, before.currentVersion) < 0;

import type { Finding } from './finding.ts';
import type { AnyItem, Item } from './item.ts';
import { allOf, deploymentsOf, isRetired, versionsOf } from './lookup.ts';
import { apply, importStood, patch, put, remove, type Mend, type Proposal } from './mend.ts';
import { giveUpImports } from './mend-coverage.ts';
import { parseName, versionName } from './names.ts';
import { planDeployment } from './plan.ts';
import { compareVersions } from './versions.ts';
import type { Reader } from './view.ts';

/**
 * REF1 and CAT1. What a resource refers to is either missing from the start, then it has to come first; or the command
 * takes it away, then the resource has to let go of it, or go before it.
 */
export function mendReference(proposal: Proposal, finding: Finding): readonly Mend[] {
  const { violation, about = '' } = finding;
  const { before, touches } = proposal.delta;
  const taken = touches.has(about) && before.get(about) !== undefined;
  if (!taken) return create(proposal, about);
  if (proposal.says(violation.resource)) return [];
  if (violation.imported !== undefined) {
    return importStood(proposal.delta, finding) ? giveUpImports(proposal, violation.resource) : [];
  }
  const referrer = before.get(violation.resource);
  return referrer === undefined ? [] : letGo(proposal, referrer, about);
}

function create({ delta, says }: Proposal, name: string): readonly Mend[] {
  if (says(name)) return [];
  const parts = parseName(name);
  const existing = delta.before.get(name);
  if (existing?.kind === 'version') {
    return [patch(name, { lifecycle: { state: 'active' } }, `Takes ${name} back out of retirement.`)];
  }
  if (parts === undefined || existing !== undefined) return [];
  const summary = `Creates ${name}.`;
  if (parts.kind === 'region' || parts.kind === 'project') return [put(name, { title: parts.id }, summary)];
  if (parts.kind === 'serviceAccount') return [put(name, {}, summary)];
  return parts.kind === 'version' ? [put(name, { imports: [] }, summary)] : [];
}

/** All names that one referrer loses in this command. */
function losses({ findings }: Proposal, referrer: AnyItem): Set<string> {
  const names = new Set<string>();
  for (const { violation, about } of findings) {
    if (violation.resource === referrer.name && about !== undefined) names.add(about);
  }
  return names;
}

function letGo(proposal: Proposal, referrer: AnyItem, about: string): readonly Mend[] {
  const { name } = referrer;
  const deleted = remove(name, `Deletes ${name}, which cannot stand without ${about}.`);
  if (name.startsWith(`${about}/`)) return [deleted];
  const lost = losses(proposal, referrer);
  switch (referrer.kind) {
    case 'deployment':
      return about.startsWith('regions/') ? [deleted] : [...otherVersion(proposal, referrer, lost), deleted];
    case 'service':
      return loseFromService(proposal, referrer, lost, deleted);
    case 'bundle': {
      const members = referrer.value.members.filter((member) => !lost.has(`services/${member}`));
      if (members.length === 0) return [deleted];
      return proposal.once(`members ${name}`, () => patch(name, { members }, `Takes ${about} out of ${name}.`));
    }
    case 'resourceType': {
      const versions = referrer.value.versions.filter(
        ({ version }) => !lost.has(versionName(referrer.parent, version)),
      );
      if (versions.length === 0) return [deleted];
      return proposal.once(`versions ${name}`, () => patch(name, { versions }, `Takes ${about} out of ${name}.`));
    }
    default:
      return [deleted];
  }
}

function loseFromService(
  { delta, once }: Proposal,
  { name, value, id }: Item<'service'>,
  lost: ReadonlySet<string>,
  deleted: Mend,
): readonly Mend[] {
  if (lost.has(value.creator) || lost.has(`projects/${value.project}`)) return [deleted];
  return once(`service ${name}`, () => {
    const change: Record<string, unknown> = {};
    const uses = value.uses.filter((used) => !lost.has(`services/${used}`));
    if (uses.length < value.uses.length) change.uses = uses;
    if (lost.has(`regions/${value.primaryRegion}`)) {
      const region = regionsFor(delta.after, id).find((one) => one !== value.primaryRegion);
      if (region === undefined) return deleted;
      change.primaryRegion = region;
    }
    return patch(name, change, `Takes ${[...lost].sort().join(', ')} out of ${name}.`);
  });
}

/** Where a service could have its primary region: where it is deployed, or anywhere when it is not. */
function regionsFor(state: Reader, service: string): string[] {
  const deployed = Array.from(deploymentsOf(state, service), ({ id }) => id);
  return deployed.length > 0 ? deployed : Array.from(allOf(state, 'region'), ({ id }) => id);
}

/** Upgrades a deployment to the newest version that stays, or lowers it to the newest that is older. */
function otherVersion(
  { delta }: Proposal,
  { name, parent, id, value }: Item<'deployment'>,
  lost: ReadonlySet<string>,
): readonly Mend[] {
  const left: string[] = [];
  for (const version of versionsOf(delta.after, parent)) {
    if (!isRetired(version) && !lost.has(version.name) && delta.before.get(version.name)) left.push(version.id);
  }
  const mends: Mend[] = [];
  for (const version of left.sort((a, b) => compareVersions(b, a))) {
    if (compareVersions(version, value.currentVersion) < 0) {
      mends.push(patch(name, { currentVersion: version }, `Lowers ${parent} in ${id} to ${version}.`));
      break;
    }
    const plan = planDeployment(delta.before, parent, id, version);
    const upgrade = plan.ok
      ? apply(delta.before, plan.documents, `Upgrades ${parent} in ${id} to ${version}, together with what that needs.`)
      : undefined;
    if (upgrade !== undefined) mends.push(upgrade);
  }
  return mends;
}

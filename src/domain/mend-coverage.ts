import { serves } from './coverage.ts';
import { componentOf, importsOf } from './cycles.ts';
import type { Delta } from './delta.ts';
import type { Finding } from './finding.ts';
import { deploymentOf, deploymentsOf, importingVersions, versionsOf } from './lookup.ts';
import { apply, dropImports, importStood, patch, type Mend, type Proposal } from './mend.ts';
import { newestOf } from './versions.ts';

/** What has to be known of a finding before plans are made, so that they agree with each other. */
export function foreseeCoverage({ delta, planner }: Proposal, finding: Finding): void {
  const { code, imported = '', importedVersion, region = '', resource } = finding.violation;
  if (code === 'primary-region-not-deployed') {
    const service = resource.slice('services/'.length);
    const running = newestOf(Array.from(deploymentsOf(delta.after, service), ({ value }) => value.currentVersion));
    planner.need(service, region, running);
  } else if (!stood(delta, finding)) {
    planner.need(imported, region, importedVersion, true);
  }
}

/**
 * COV1. When the import was covered before, it is the imported service that goes away: the importer has to give the
 * import up. Otherwise the import is what is new, and the imported service has to come first.
 */
export function mendCoverage(proposal: Proposal, finding: Finding): readonly Mend[] {
  const { imported = '', region = '', resource } = finding.violation;
  if (stood(proposal.delta, finding)) return giveUpImports(proposal, resource);
  return planned(proposal, imported, region);
}

/** The plan for a deployment, which `foresee` has told the planner about. */
export function planned(proposal: Proposal, service: string, region: string): readonly Mend[] {
  const plan = proposal.planner.planFor(service, region);
  if (!plan.ok) return [];
  const alike = plan.documents.map(({ name, currentVersion }) => `${name} ${String(currentVersion)}`);
  return proposal.once(`plan ${alike.join(' ')}`, () => {
    const { before } = proposal.delta;
    const rest = plan.documents.length > 1 ? ', together with what that needs in turn' : '';
    const stands = deploymentOf(before, service, region) !== undefined;
    const what = stands ? `Brings ${service} in ${region} to what is needed` : `Deploys ${service} in ${region}`;
    return apply(before, plan.documents, `${what}${rest}.`);
  });
}

/** One version without all of the imports that this command would leave uncovered or without a version. */
export function giveUpImports(proposal: Proposal, version: string): readonly Mend[] {
  const { delta, findings, says } = proposal;
  if (says(version)) return [];
  return proposal.once(`imports ${version}`, () => {
    const dropped = new Set<string>();
    for (const { violation } of findings) {
      if (violation.resource === version && violation.imported !== undefined) dropped.add(violation.imported);
    }
    const summary = `Takes ${[...dropped].sort().join(', ')} out of what ${version} imports.`;
    return dropImports(delta.before, new Map([[version, dropped]]), summary);
  });
}

/** CAT3: deploy in the primary region first, or make a region the primary one where the service is deployed. */
export function mendPrimaryRegion(proposal: Proposal, { violation }: Finding): readonly Mend[] {
  const { resource, region = '' } = violation;
  const { delta, says } = proposal;
  const service = resource.slice('services/'.length);
  const mends = [...planned(proposal, service, region)];
  if (says(resource)) return mends;
  for (const { id } of deploymentsOf(delta.after, service)) {
    mends.push(patch(resource, { primaryRegion: id }, `Makes ${id} the primary region of ${service}.`));
  }
  return mends;
}

/** COV3: whoever leads back to the importer gives that import up. */
export function mendCycle(proposal: Proposal, { violation }: Finding): readonly Mend[] {
  const { after, before, touches } = proposal.delta;
  const { importer = '', code } = violation;
  if (code !== 'import-cycle') return [];
  const component = componentOf(after, importer);
  let added = false;
  for (const { name } of versionsOf(after, importer)) if (touches.has(name)) added = true;
  const edges = added
    ? component.map((from): Edge => [from, importer])
    : backEdges(proposal.delta, importer, component);
  const drops = new Map<string, Set<string>>();
  for (const [from, to] of edges) {
    for (const { name, parent } of importingVersions(after, to)) {
      if (parent !== from) continue;
      if (proposal.says(name)) return [];
      drops.set(name, (drops.get(name) ?? new Set()).add(to));
    }
  }
  const summary = `Opens the cycle: takes what closes it out of the imports of ${[...drops.keys()].join(', ')}.`;
  const mend = dropImports(before, drops, summary);
  return mend === undefined ? [] : [mend];
}

type Edge = readonly [from: string, to: string];

/** Imports without which the services of a component form no cycle. */
function backEdges({ after }: Delta, start: string, component: readonly string[]): Edge[] {
  const found: Edge[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (service: string): void => {
    path.push(service);
    for (const next of importsOf(after, service)) {
      if (path.includes(next)) found.push([service, next]);
      else if (component.includes(next) && !done.has(next)) visit(next);
    }
    path.pop();
    done.add(service);
  };
  visit(start);
  return found;
}

/** Whether an import was required in the region, and therefore covered there, before the command. */
function stood(delta: Delta, finding: Finding): boolean {
  const version = importStood(delta, finding);
  if (version === undefined) return false;
  const { importer = '', region = '' } = finding.violation;
  const deployment = deploymentOf(delta.before, importer, region);
  return deployment !== undefined && serves(deployment, version);
}

import { domainOf, inDomain } from './endpoints.ts';
import type { Finding } from './finding.ts';
import type { Item } from './item.ts';
import { bundlesWith, deploymentOf, deploymentsOf, isEmpty, serviceOf } from './lookup.ts';
import { apply, patch, remove, type Mend, type Proposal } from './mend.ts';
import { planned } from './mend-coverage.ts';
import { parseName, serviceName } from './names.ts';
import { documentOf, type Document } from './document.ts';
import { Planner, type Given } from './planner.ts';
import type { BundleRules, Service } from './resources.ts';
import { newestOf } from './versions.ts';
import type { Reader } from './view.ts';

/** The rule behind each code. */
const RULE_OF: Readonly<Record<string, keyof BundleRules>> = {
  'bundle-not-deployed-together': 'deployedTogether',
  'bundle-not-in-every-region': 'everyRegion',
  'bundle-versions-differ': 'upgradedTogether',
  'bundle-primary-regions-differ': 'onePrimaryRegion',
  'bundle-domains-differ': 'oneDomain',
  'bundle-member-not-public': 'public',
};

/** Tells the planner which deployments the rules of a bundle ask for, unless the command itself takes them away. */
export function foreseeBundle({ delta, planner }: Proposal, { violation, about = '' }: Finding): void {
  const { code, region = '', resource } = violation;
  if (code === 'bundle-versions-differ') {
    const { member, newest } = behind(delta.after, about, region);
    if (member !== undefined) planner.need(member, region, newest);
  } else if (code === 'bundle-not-deployed-together' || code === 'bundle-not-in-every-region') {
    planner.need(parseName(resource)?.parent ?? '', region);
  }
}

/** The newest version that a member runs in a region, and a member that does not run it yet. */
function behind(state: Reader, bundle: string, region: string): { newest?: string; member?: string } {
  const item = state.get(bundle);
  if (item?.kind !== 'bundle') return {};
  const there = item.value.members.flatMap((member) => deploymentOf(state, member, region) ?? []);
  const newest = newestOf(there.map(({ value }) => value.currentVersion));
  const member = there.find(({ value }) => value.currentVersion !== newest)?.parent;
  return { ...(newest !== undefined && { newest }), ...(member !== undefined && { member }) };
}

/** COV4: what the other members have to do so that the rule holds again; else to give up the rule. */
export function mendBundle(proposal: Proposal, finding: Finding): readonly Mend[] {
  const { code, region = '', resource } = finding.violation;
  if (code === 'service-in-two-bundles') return leaveBundle(proposal, resource);
  const bundle = proposal.delta.after.get(finding.about ?? '');
  const rule = RULE_OF[code];
  if (bundle?.kind !== 'bundle' || rule === undefined) return [];
  const { name } = bundle;
  const align = (key: string, make: () => Mend | undefined): readonly Mend[] => proposal.once(`${key} ${name}`, make);
  const relax = (): readonly Mend[] => align(rule, () => giveUp(proposal, bundle, rule));
  switch (code) {
    case 'bundle-member-not-public':
      return proposal.says(resource)
        ? relax()
        : [patch(resource, { public: true }, `Makes ${resource} public, as the other members of ${name} are.`)];
    case 'bundle-primary-regions-differ':
      return [...align('primary', () => alignPrimaryRegions(proposal, bundle)), ...relax()];
    case 'bundle-domains-differ':
      return [...align('domain', () => alignDomains(proposal, bundle)), ...relax()];
    case 'bundle-versions-differ':
      return [
        ...planned(proposal, behind(proposal.delta.after, name, region).member ?? '', region),
        ...align(`lower ${region}`, () => lowerTogether(proposal, bundle, region)),
        ...relax(),
      ];
    default:
      return [...planned(proposal, parseName(resource)?.parent ?? '', region), ...relax()];
  }
}

function giveUp({ says }: Proposal, { name }: Item<'bundle'>, rule: keyof BundleRules): Mend | undefined {
  if (says(name)) return undefined;
  return patch(name, { rules: { [rule]: false } }, `Gives up the rule ${rule} of ${name}.`);
}

/** Services leave the bundles that the command does not touch. */
function leaveBundle({ delta, findings, once, says }: Proposal, resource: string): readonly Mend[] {
  const leaving = findings
    .filter((f) => f.violation.code === 'service-in-two-bundles')
    .map((f) => f.violation.resource);
  const service = parseName(resource)?.id ?? '';
  const others = Array.from(bundlesWith(delta.after, service)).filter((bundle) => !says(bundle.name));
  const [other] = others;
  if (other === undefined || others.length > 1) return [];
  return once(`leave ${other.name}`, () => {
    const members = other.value.members.filter((member) => !leaving.includes(serviceName(member)));
    const summary = `Takes ${leaving.join(', ')} out of ${other.name}.`;
    return members.length === 0
      ? remove(other.name, `Deletes ${other.name}.`)
      : patch(other.name, { members }, summary);
  });
}

function alignPrimaryRegions(proposal: Proposal, bundle: Item<'bundle'>): Mend | undefined {
  const { after, before } = proposal.delta;
  const region = targetOf(proposal, bundle, (service) => service.primaryRegion);
  if (region === undefined) return undefined;
  const planner = new Planner(after, givenBy(proposal));
  const documents = new Map<string, Document>();
  for (const member of bundle.value.members) {
    const service = serviceOf(after, member);
    if (service === undefined || (service.value.primaryRegion === region && !proposal.says(service.name))) continue;
    documents.set(service.name, { ...documentOf(service), primaryRegion: region });
    if (deploymentOf(after, member, region) !== undefined || isEmpty(deploymentsOf(after, member))) continue;
    planner.need(member, region);
    const plan = planner.planFor(member, region);
    if (!plan.ok) return undefined;
    for (const document of plan.documents) if (!documents.has(document.name)) documents.set(document.name, document);
  }
  return apply(before, [...documents.values()], `Makes ${region} the primary region of all members of ${bundle.name}.`);
}

function alignDomains(proposal: Proposal, bundle: Item<'bundle'>): Mend | undefined {
  const { after, before } = proposal.delta;
  const domain = targetOf(proposal, bundle, (service) => domainOf(service.globalEndpoint));
  if (domain === undefined) return undefined;
  const documents: Document[] = [];
  for (const member of bundle.value.members) {
    const service = serviceOf(after, member);
    if (service === undefined) continue;
    const { globalEndpoint } = service.value;
    if (domainOf(globalEndpoint) === domain && !proposal.says(service.name)) continue;
    documents.push({ ...documentOf(service), globalEndpoint: inDomain(globalEndpoint, domain) });
  }
  return apply(before, documents, `Moves all members of ${bundle.name} to ${domain}.`);
}

/** What the command wants the members to have in common; the value most of them have when it wants nothing. */
function targetOf(
  { delta, says }: Proposal,
  { value }: Item<'bundle'>,
  valueOf: (service: Service) => string,
): string | undefined {
  const wanted = new Set<string>();
  const counts = new Map<string, number>();
  for (const member of value.members) {
    const service = serviceOf(delta.after, member);
    if (service === undefined) continue;
    const mine = valueOf(service.value);
    if (says(service.name)) wanted.add(mine);
    counts.set(mine, (counts.get(mine) ?? 0) + 1);
  }
  if (wanted.size > 1) return undefined;
  const [target] = wanted.size === 1 ? wanted : [...counts].sort(([, a], [, b]) => b - a).map(([one]) => one);
  return target;
}

/** All members at the version that the command lowers one of them to. */
function lowerTogether(proposal: Proposal, { name, value }: Item<'bundle'>, region: string): Mend | undefined {
  const { after, before } = proposal.delta;
  const there = value.members.flatMap((member) => deploymentOf(after, member, region) ?? []);
  const wanted = new Set(there.filter((one) => proposal.says(one.name)).map((one) => one.value.currentVersion));
  const [currentVersion] = wanted;
  if (currentVersion === undefined || wanted.size > 1) return undefined;
  const documents = there.map((deployment) => ({ ...documentOf(deployment), currentVersion }));
  return apply(before, documents, `Brings all members of ${name} in ${region} to ${currentVersion} in one revision.`);
}

export const givenBy = ({ delta, says }: Pick<Proposal, 'delta' | 'says'>): Given => ({
  changes: says,
  creates: (name) => delta.touches.has(name) && delta.before.get(name) === undefined,
});

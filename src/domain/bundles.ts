import type { Delta } from './delta.ts';
import { domainOf } from './endpoints.ts';
import type { Violation } from './errors.ts';
import type { Finding } from './finding.ts';
import type { Item } from './item.ts';
import { allOf, bundlesWith, deploymentOf, deploymentsOf, serviceOf } from './lookup.ts';
import { deploymentName, serviceName } from './names.ts';
import { compareVersions } from './versions.ts';
import type { Reader } from './view.ts';

/**
 * COV4 where a change may break it: all rules of a bundle that it touches; for other bundles the rules about regions
 * where a member's deployment changes, and the rules about members' own fields when one of those changes.
 */
export function checkBundles(delta: Delta, found: Finding[]): void {
  const done = new Set<string>();
  const once = (key: string, check: () => void): void => {
    if (done.has(key)) return;
    done.add(key);
    check();
  };
  for (const { after } of delta.touches.values()) {
    if (after?.kind !== 'bundle') continue;
    once(after.name, () => checkBundle(delta.after, after, found));
    for (const member of after.value.members) once(member, () => checkOneBundle(delta.after, member, found));
  }
  for (const { before, after } of delta.touches.values()) {
    const one = after ?? before;
    if (one?.kind === 'deployment') {
      if (before?.kind === 'deployment' && after?.kind === 'deployment' && !changesVersion(before, after)) continue;
      for (const bundle of bundlesWith(delta.after, one.parent)) {
        if (delta.touches.get(bundle.name)?.after !== undefined) continue;
        once(`${bundle.name} ${one.id}`, () => checkRegion(delta.after, bundle, one.id, found));
      }
    } else if (after?.kind === 'service') {
      if (before?.kind === 'service' && !changesMember(before, after)) continue;
      for (const bundle of bundlesWith(delta.after, after.id)) {
        if (delta.touches.get(bundle.name)?.after !== undefined) continue;
        once(`${bundle.name} members`, () => checkMembers(delta.after, bundle, found));
      }
    } else if (after?.kind === 'region' && before === undefined) {
      for (const bundle of allOf(delta.after, 'bundle')) {
        if (delta.touches.get(bundle.name)?.after !== undefined) continue;
        once(`${bundle.name} ${after.id}`, () => checkRegion(delta.after, bundle, after.id, found));
      }
    }
  }
}

/** All of COV4 for one bundle. */
export function checkBundle(state: Reader, bundle: Item<'bundle'>, found: Finding[]): void {
  checkMembers(state, bundle, found);
  const { members, rules } = bundle.value;
  const regions = new Set<string>();
  if (rules.everyRegion) for (const region of allOf(state, 'region')) regions.add(region.id);
  if (rules.everyRegion || rules.deployedTogether || rules.upgradedTogether) {
    for (const member of members) for (const { id } of deploymentsOf(state, member)) regions.add(id);
  }
  for (const region of regions) checkRegion(state, bundle, region, found);
}

/** A service is a member of one bundle at most: two could give it rules that contradict each other. */
export function checkOneBundle(state: Reader, service: string, found: Finding[]): void {
  const names = Array.from(bundlesWith(state, service), (bundle) => bundle.name).sort();
  if (names.length < 2) return;
  const message = `${service} is a member of ${names.join(' and ')}; it can be a member of one bundle.`;
  const resource = serviceName(service);
  found.push({ mentions: names, violation: { code: 'service-in-two-bundles', rule: 'COV4', resource, message } });
}

/** The rules about where the members are deployed, for one region. */
function checkRegion(state: Reader, bundle: Item<'bundle'>, region: string, found: Finding[]): void {
  const { members, rules } = bundle.value;
  const there = members.filter((member) => deploymentOf(state, member, region) !== undefined);
  if (there.length < members.length) {
    const missing = members.filter((member) => !there.includes(member));
    if (rules.deployedTogether && there.length > 0) {
      const why = `which is deployed as one, and ${there[0] ?? ''} is deployed there`;
      for (const member of missing) found.push(absent('bundle-not-deployed-together', bundle, member, region, why));
    }
    if (rules.everyRegion && state.get(`regions/${region}`) !== undefined) {
      const why = 'which is deployed in every region';
      for (const member of missing) found.push(absent('bundle-not-in-every-region', bundle, member, region, why));
    }
  }
  if (!rules.upgradedTogether) return;
  const versionAt = (member: string): string | undefined => deploymentOf(state, member, region)?.value.currentVersion;
  for (const { member, value, usual } of deviants(there, versionAt, compareVersions)) {
    const message = `${member} runs ${value} in ${region}, but ${bundle.name} is upgraded as one and runs ${usual} there.`;
    const resource = deploymentName(member, region);
    found.push(broken('bundle-versions-differ', bundle, resource, message, region));
  }
}

/** The rules about what the members say of themselves. */
function checkMembers(state: Reader, bundle: Item<'bundle'>, found: Finding[]): void {
  const { members, rules } = bundle.value;
  if (rules.public) {
    for (const member of members) {
      if (serviceOf(state, member)?.value.public !== false) continue;
      const message = `${member} is not public, but all members of ${bundle.name} are.`;
      found.push(broken('bundle-member-not-public', bundle, serviceName(member), message));
    }
  }
  if (rules.onePrimaryRegion) {
    const primaryOf = (member: string): string | undefined => serviceOf(state, member)?.value.primaryRegion;
    for (const { member, value, usual } of deviants(members, primaryOf)) {
      const message = `${member} has its primary region in ${value}, but ${bundle.name} has one primary region, ${usual}.`;
      found.push(broken('bundle-primary-regions-differ', bundle, serviceName(member), message, value));
    }
  }
  if (rules.oneDomain) {
    const memberDomain = (member: string): string | undefined => {
      const service = serviceOf(state, member);
      return service && domainOf(service.value.globalEndpoint);
    };
    for (const { member, value, usual } of deviants(members, memberDomain)) {
      const message = `${member} is reached under ${value}, but ${bundle.name} has one domain, ${usual}.`;
      found.push(broken('bundle-domains-differ', bundle, serviceName(member), message));
    }
  }
}

interface Deviant {
  readonly member: string;
  readonly value: string;
  readonly usual: string;
}

/** Who differs from what most members have; of two values held equally often the greater one is the usual one. */
function deviants(
  members: readonly string[],
  valueOf: (member: string) => string | undefined,
  compare = (a: string, b: string): number => (a < b ? -1 : 1),
): Deviant[] {
  const values = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const member of members) {
    const value = valueOf(member);
    if (value === undefined) continue;
    values.set(member, value);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  if (counts.size < 2) return [];
  const [first] = [...counts].sort(([a, m], [b, n]) => n - m || compare(b, a));
  const usual = first?.[0] ?? '';
  return Array.from(values, ([member, value]) => ({ member, value, usual })).filter(({ value }) => value !== usual);
}

function absent(code: string, bundle: Item<'bundle'>, member: string, region: string, why: string): Finding {
  const message = `${member} would not be deployed in ${region}, but it belongs to ${bundle.name}, ${why}.`;
  return broken(code, bundle, deploymentName(member, region), message, region);
}

function broken(code: string, bundle: Item<'bundle'>, resource: string, message: string, region?: string): Finding {
  const violation: Violation = { code, rule: 'COV4', resource, ...(region !== undefined && { region }), message };
  return { about: bundle.name, violation };
}

const changesVersion = (before: Item<'deployment'>, after: Item<'deployment'>): boolean =>
  before.value.currentVersion !== after.value.currentVersion;

const changesMember = ({ value: before }: Item<'service'>, { value: after }: Item<'service'>): boolean =>
  before.public !== after.public ||
  before.primaryRegion !== after.primaryRegion ||
  before.globalEndpoint !== after.globalEndpoint;

import type { Delta, Touch } from './delta.ts';
import { followsConvention, regionalEndpoint } from './endpoints.ts';
import type { Warning } from './errors.ts';
import { inRegion, referrersOf } from './indexes.ts';
import type { Item } from './item.ts';
import { bundlesWith, deploymentOf, deploymentsOf, serviceOf, versionOf } from './lookup.ts';
import { serviceName } from './names.ts';
import { isHiddenName } from './unnamed.ts';
import { EVERYTHING } from './visibility.ts';

/** A delta, and which services its warnings may speak of. */
interface Judged extends Delta {
  readonly isSeen: (service: string) => boolean;
}

/**
 * What is odd about the resources that a command names and changes; `at` is the command's time. How things are with
 * services that `sight` does not see is not told (SEC3).
 */
export function warningsOf(delta: Delta, names: Iterable<string>, at: number, sight = EVERYTHING): Warning[] {
  const warnings: Warning[] = [];
  const isSeen = (service: string): boolean => !isHiddenName(serviceName(service), sight, delta);
  const { before, after, touches } = delta;
  const judged = { before, after, touches, isSeen };
  for (const name of names) {
    const touch = touches.get(name);
    if (touch !== undefined) warn(judged, touch, at, warnings);
  }
  return warnings;
}

function warn(delta: Judged, { before, after }: Touch, at: number, warnings: Warning[]): void {
  if (after?.kind === 'deployment') {
    warnOfEndpoint(delta, after, warnings);
    warnOfUses(delta, after, warnings);
    warnOfSunset(delta, after.name, `runs`, after.parent, after.value.currentVersion, at, warnings);
  } else if (after?.kind === 'service' && before !== undefined) {
    for (const deployment of deploymentsOf(delta.after, after.id)) warnOfUses(delta, deployment, warnings);
  } else if (after?.kind === 'version') {
    for (const { service, version } of after.value.imports) {
      warnOfSunset(delta, after.name, 'imports', service, version, at, warnings);
    }
  }
  const gone = before?.kind === 'deployment' && (after?.kind !== 'deployment' || after.value.disabled);
  if (gone && !before.value.disabled) warnUsers(delta, before, warnings);
}

function warnOfEndpoint({ after }: Delta, { name, parent, id, value }: Item<'deployment'>, warnings: Warning[]): void {
  const global = serviceOf(after, parent)?.value.globalEndpoint ?? '';
  if (followsConvention(value.regionalEndpoint, id, global)) return;
  const message = `${value.regionalEndpoint} does not follow {region}.{domain}, which would be ${regionalEndpoint(id, global)}.`;
  warnings.push({ code: 'endpoint-convention', resource: name, message });
}

function warnOfUses({ after, isSeen }: Judged, { name, parent, id }: Item<'deployment'>, warnings: Warning[]): void {
  const uses = serviceOf(after, parent)?.value.effectiveUses ?? [];
  const absent = uses.filter(
    (used) => used !== parent && isSeen(used) && (deploymentOf(after, used, id)?.value.disabled ?? true),
  );
  if (absent.length === 0) return;
  const message = `${parent} runs in ${id} and uses ${absent.join(', ')}, not deployed and enabled there.`;
  warnings.push({ code: 'use-not-deployed', resource: name, message });
}

/** A use is a wish, not a promise: whoever leaves a region is told who used it there, and may go. */
function warnUsers({ after, isSeen }: Judged, { name, parent, id }: Item<'deployment'>, warnings: Warning[]): void {
  let everyone = false;
  for (const { value } of bundlesWith(after, parent)) if (value.rules.usedByEveryone) everyone = true;
  const users: string[] = [];
  for (const one of after.bucket(everyone ? inRegion(id) : referrersOf(serviceName(parent)))) {
    if (one.kind !== 'deployment' && one.kind !== 'service') continue;
    const user = one.kind === 'deployment' ? one.parent : one.id;
    if (user === parent || !isSeen(user) || deploymentOf(after, user, id) === undefined) continue;
    if (serviceOf(after, user)?.value.effectiveUses.includes(parent)) users.push(user);
  }
  if (users.length === 0) return;
  const message = `${users.sort().join(', ')} run in ${id} and use ${parent}, no longer deployed and enabled there.`;
  warnings.push({ code: 'use-not-deployed', resource: name, message });
}

function warnOfSunset(
  { after, isSeen }: Judged,
  resource: string,
  verb: string,
  service: string,
  version: string,
  at: number,
  warnings: Warning[],
): void {
  const lifecycle = versionOf(after, service, version)?.value.lifecycle;
  if (lifecycle?.state !== 'deprecated' || !isSeen(service)) return;
  const passed = Date.parse(lifecycle.sunset) <= at;
  if (!passed && verb === 'runs') return;
  const code = passed ? 'sunset-passed' : 'import-deprecated';
  const when = passed ? `was to end on ${lifecycle.sunset}` : `is deprecated and ends on ${lifecycle.sunset}`;
  warnings.push({ code, resource, message: `${resource} ${verb} ${service} ${version}, which ${when}.` });
}

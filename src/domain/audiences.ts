import { changeName, type AnyItem, type Change } from './item.ts';
import { audienceOf, audienceOfServiceId, followersOf, sameAudience, type Audience } from './visibility.ts';
import type { Reader } from './view.ts';

/** Of the command. */
export interface Stamp {
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly time: string;
}

/**
 * Writes into the changes of one command who may see each of them, and who could see what was there before. Where a
 * service is seen by others than before, all that belongs to it changes with it: for those who see it from now on it is
 * news, and for those who do not any more it is gone (SEC3).
 */
export function withAudiences(changes: readonly Change[], before: Reader, after: Reader, at: Stamp): readonly Change[] {
  let told: Change[] | undefined;
  changes.forEach((change, i) => {
    const seen = withAudience(change, before, after);
    if (seen === change) return;
    told ??= [...changes];
    told[i] = seen;
  });
  const followers = followersSeenByOthers(changes, before, after, at);
  return followers.length === 0 ? (told ?? changes) : [...(told ?? changes), ...followers];
}

function withAudience(change: Change, before: Reader, after: Reader): Change {
  const old = before.get(changeName(change));
  const was = old === undefined ? undefined : audienceOf(old, before);
  if (change.op === 'delete') return was === undefined ? change : { ...change, audience: was };
  const audience = audienceOf(change.item, after);
  const changed = old !== undefined && !sameAudience(was, audience);
  return audience === undefined && !changed ? change : { ...change, ...audiences(audience, changed, was) };
}

function audiences(audience: Audience | undefined, changed: boolean, was: Audience | undefined) {
  return { ...(audience !== undefined && { audience }), ...(changed && { audienceBefore: was ?? null }) };
}

function followersSeenByOthers(changes: readonly Change[], before: Reader, after: Reader, at: Stamp): Change[] {
  const services = new Set<string>();
  for (const change of changes) {
    const service = serviceIn(change);
    if (service === undefined) continue;
    if (!sameAudience(audienceOfServiceId(service, before), audienceOfServiceId(service, after))) services.add(service);
  }
  if (services.size === 0) return [];
  const told = new Set(changes.map(changeName));
  const followers: Change[] = [];
  for (const service of services) {
    for (const item of followersOf(service, after)) {
      if (told.has(item.name)) continue;
      told.add(item.name);
      const was = audienceOf(item, before);
      const audience = audienceOf(item, after);
      if (sameAudience(was, audience)) continue;
      followers.push({ op: 'put', item: touched(item, at), ...audiences(audience, true, was) });
    }
  }
  return followers;
}

/** Who sees it is part of what a resource is, so it changes at this revision. */
function touched(item: AnyItem, { revision, time }: Stamp): AnyItem {
  const value = { ...item.value, revision, updateTime: time };
  return { ...item, revision, value, json: JSON.stringify(value) } as AnyItem;
}

function serviceIn(change: Change): string | undefined {
  if (change.op === 'put') return change.item.kind === 'service' ? change.item.id : undefined;
  return change.kind === 'service' ? change.name.slice('services/'.length) : undefined;
}

import type { Delta } from './delta.ts';
import type { Finding } from './finding.ts';
import type { Item } from './item.ts';
import { deploymentOf, deploymentsOf, isEmpty, serviceOf } from './lookup.ts';
import { deploymentName, projectName } from './names.ts';
import type { Reader } from './view.ts';

/** CAT2 and CAT3 for the services that a change touches, or that it deploys somewhere or takes away from somewhere. */
export function checkServices(delta: Delta, found: Finding[]): void {
  const moved = new Set<string>();
  for (const { before, after } of delta.touches.values()) {
    if (after?.kind === 'service') {
      checkOwner(after, found);
      moved.add(after.id);
    }
    const one = after ?? before;
    if (one?.kind === 'deployment' && (before === undefined || after === undefined)) moved.add(one.parent);
  }
  for (const id of moved) {
    const service = serviceOf(delta.after, id);
    if (service !== undefined) checkPrimaryRegion(delta.after, service, found);
  }
}

/** CAT2: a service belongs to the project of the service account that created it. */
export function checkOwner({ name, value }: Item<'service'>, found: Finding[]): void {
  if (value.creator.startsWith(`${projectName(value.project)}/`)) return;
  const message = `${name} belongs to ${projectName(value.project)}, but ${value.creator} created it.`;
  found.push({ violation: { code: 'creator-not-in-project', rule: 'CAT2', resource: name, message } });
}

/** CAT3: once a service is deployed anywhere, it is deployed in its primary region. */
export function checkPrimaryRegion(state: Reader, { name, id, value }: Item<'service'>, found: Finding[]): void {
  const region = value.primaryRegion;
  if (deploymentOf(state, id, region) !== undefined || isEmpty(deploymentsOf(state, id))) return;
  const message = `${id} has its primary region in ${region}, but is deployed only elsewhere.`;
  const violation = { code: 'primary-region-not-deployed', rule: 'CAT3', resource: name, region, message } as const;
  found.push({ about: deploymentName(id, region), violation });
}

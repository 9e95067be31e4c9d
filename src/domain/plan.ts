import { Planner, type Plan } from './planner.ts';
import type { Reader } from './view.ts';

/**
 * Everything that has to be applied in one revision so that a service serves a version in a region: its own deployment,
 * what it imports there, the rest of a bundle that is deployed or upgraded as one, and its primary region if it is not
 * deployed yet; each of them with what it needs in turn. Nothing to apply when it is served already.
 */
export function planDeployment(state: Reader, service: string, region: string, version: string): Plan {
  const planner = new Planner(state);
  planner.need(service, region, version, true);
  return planner.planFor(service, region);
}

import { checkBundle, checkOneBundle } from './bundles.ts';
import { inOrder } from './checks.ts';
import { checkAllConsent } from './consent.ts';
import { checkCoverageOf } from './coverage.ts';
import { checkAllCycles } from './cycles.ts';
import type { Violation } from './errors.ts';
import type { Finding } from './finding.ts';
import type { AnyItem } from './item.ts';
import { allOf } from './lookup.ts';
import { checkReferencesOf } from './references.ts';
import { KINDS } from './resources.ts';
import { checkOwner, checkPrimaryRegion } from './service-rules.ts';
import type { Reader } from './view.ts';

/** Everything that is wrong in a whole state; nothing at any revision (COV2). Scans all of it: for audits and tests. */
export function violationsOf(state: Reader): Violation[] {
  const found: Finding[] = [];
  for (const kind of KINDS) for (const item of allOf(state, kind)) checkReferencesOf(state, item as AnyItem, found);
  for (const service of allOf(state, 'service')) {
    checkOwner(service, found);
    checkPrimaryRegion(state, service, found);
  }
  checkAllConsent(state, found);
  for (const deployment of allOf(state, 'deployment')) checkCoverageOf(state, deployment, found);
  checkAllCycles(state, found);
  const members = new Set<string>();
  for (const bundle of allOf(state, 'bundle')) {
    checkBundle(state, bundle, found);
    for (const member of bundle.value.members) members.add(member);
  }
  for (const member of members) checkOneBundle(state, member, found);
  return inOrder(found).map(({ violation }) => violation);
}

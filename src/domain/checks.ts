import { checkBundles } from './bundles.ts';
import { checkConsent } from './consent.ts';
import { checkCoverage } from './coverage.ts';
import { checkCycles } from './cycles.ts';
import type { Delta } from './delta.ts';
import type { Finding } from './finding.ts';
import { checkReferences } from './references.ts';
import { checkServices } from './service-rules.ts';

/** Everything that a change would break, in a fixed order, looking only at what it can break in a valid state. */
export function check(delta: Delta): readonly Finding[] {
  const found: Finding[] = [];
  checkReferences(delta, found);
  checkServices(delta, found);
  checkConsent(delta, found);
  checkCoverage(delta, found);
  checkCycles(delta, found);
  checkBundles(delta, found);
  return inOrder(found);
}

const RULES = ['REF1', 'CAT1', 'CAT2', 'CAT3', 'CAT4', 'COV1', 'COV3', 'COV4'];

/** The buckets of a state have no order; an answer has one. */
export function inOrder(found: Finding[]): Finding[] {
  if (found.length < 2) return found;
  const keyed = found.map((finding) => {
    const { rule, resource, region = '', imported = '', code } = finding.violation;
    return { finding, key: `${RULES.indexOf(rule)} ${resource} ${region} ${imported} ${code} ${finding.about ?? ''}` };
  });
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ finding }) => finding);
}

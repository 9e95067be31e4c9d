import { checkCoverageOf } from '../../../src/domain/coverage.ts';
import type { Finding } from '../../../src/domain/finding.ts';
import type { AnyItem } from '../../../src/domain/item.ts';
import { deploymentsOf, importingVersions } from '../../../src/domain/lookup.ts';
import type { Folded, View } from '../../../src/domain/view.ts';
import type { Violation } from '../record.ts';

/**
 * COV2 at one revision: nothing that serves is without what it imports. Asked is everything that deployments of what changed,
 * and of who imports it, serve; what did not change was right the revision before.
 */
export function cov2(view: View, folded: readonly Folded[], revision: number): Violation[] {
  const services = new Set<string>();
  for (const { change, before } of folded) {
    const item = change.op === 'put' ? change.item : before;
    if (item?.kind !== 'deployment' && item?.kind !== 'version') continue;
    services.add(item.parent);
    for (const importer of importingVersions(view, item.parent)) services.add(importer.parent);
  }
  const found: Finding[] = [];
  for (const service of services)
    for (const deployment of deploymentsOf(view, service)) checkCoverageOf(view, deployment, found);
  return found.map(({ violation }) => ({
    promise: 'COV2',
    what: `at revision ${revision}: ${violation.message}`,
    evidence: violation,
  }));
}

/** The same of a whole state. */
export function cov2OfAll(view: View): Violation[] {
  const all: Folded[] = Array.from(view.all(), (item: AnyItem) => ({ change: { op: 'put', item }, before: undefined }));
  return cov2(view, all, 0);
}

import type { Edit } from './command.ts';
import type { Delta } from './delta.ts';
import type { Fix, Violation } from './errors.ts';
import type { Finding } from './finding.ts';
import { foreseeBundle, givenBy, mendBundle } from './mend-bundles.ts';
import { foreseeCoverage, mendCoverage, mendCycle, mendPrimaryRegion } from './mend-coverage.ts';
import { mendReference } from './mend-references.ts';
import { mendConsent } from './mend-consent.ts';
import { fixOf, type Mend, type Proposal } from './mend.ts';
import { Planner } from './planner.ts';

/**
 * Bounds for one refusal, which is made while others wait: how many edits are tried, and how many resources the fixes in
 * the answer name together. What is left without a fix gets one when it is refused again.
 */
const TRIED = 500;
const ANSWERED = 5_000;

/**
 * The violations of a refused command, each with a request that would mend it if one is known. A fix is to be sent
 * before the command is sent again; only those are proposed that `accepts` says would be accepted now.
 */
export function withFixes(
  delta: Delta,
  findings: readonly Finding[],
  named: readonly string[],
  accepts: (edits: readonly Edit[]) => boolean,
): Violation[] {
  const proposal = proposalFor(delta, findings, new Set(named));
  const verdicts = new Map<Mend, Fix | undefined>();
  let tried = 0;
  let answered = 0;
  const fixFor = (mend: Mend): Fix | undefined => {
    if (!verdicts.has(mend)) {
      tried += mend.edits.length;
      verdicts.set(mend, accepts(mend.edits) ? fixOf(mend) : undefined);
    }
    return verdicts.get(mend);
  };
  return findings.map((finding) => {
    if (answered >= ANSWERED) return finding.violation;
    for (const mend of tried < TRIED ? mendsFor(proposal, finding) : []) {
      const fix = fixFor(mend);
      if (fix === undefined) continue;
      answered += mend.edits.length;
      return { ...finding.violation, fix };
    }
    return finding.violation;
  });
}

function proposalFor(delta: Delta, findings: readonly Finding[], named: ReadonlySet<string>): Proposal {
  const says = (name: string): boolean => {
    const touch = delta.touches.get(name);
    return named.has(name) || (touch !== undefined && touch.after === undefined);
  };
  const planner = new Planner(delta.after, givenBy({ delta, says }));
  const made = new Map<string, readonly Mend[]>();
  const once: Proposal['once'] = (key, make) => {
    let mends = made.get(key);
    if (mends === undefined) {
      const mend = make();
      made.set(key, (mends = mend === undefined ? [] : [mend]));
    }
    return mends;
  };
  const proposal: Proposal = { delta, findings, says, planner, once };
  for (const finding of findings) {
    const { rule } = finding.violation;
    if (rule === 'COV1' || rule === 'CAT3') foreseeCoverage(proposal, finding);
    if (rule === 'COV4') foreseeBundle(proposal, finding);
  }
  return proposal;
}

function mendsFor(proposal: Proposal, finding: Finding): readonly Mend[] {
  switch (finding.violation.rule) {
    case 'REF1':
    case 'CAT1':
      return mendReference(proposal, finding);
    case 'CAT2':
      return [];
    case 'CAT3':
      return mendPrimaryRegion(proposal, finding);
    case 'CAT4':
      return mendConsent(proposal, finding);
    case 'COV1':
      return mendCoverage(proposal, finding);
    case 'COV3':
      return mendCycle(proposal, finding);
    case 'COV4':
      return mendBundle(proposal, finding);
  }
}

import type { Violation, Warning } from './errors.ts';
import type { Finding } from './finding.ts';
import { parseName, serviceName } from './names.ts';
import type { Reader } from './view.ts';
import { audienceOf, sees, type Sight } from './visibility.ts';

/** Whether a text names something that the caller may not see. */
export function namesHidden(text: string, sight: Sight, states: readonly Reader[]): boolean {
  if (sight.keys === 'all') return false;
  for (const [word] of text.matchAll(/[a-zA-Z0-9][a-zA-Z0-9./_-]*/g)) {
    const name = word.replace(/[./-]+$/, '');
    for (const state of states) if (isHidden(name, sight, state)) return true;
  }
  return false;
}

function isHidden(word: string, sight: Sight, state: Reader): boolean {
  const parts = parseName(word);
  const service = parts === undefined ? word : parts.kind === 'serviceAccount' ? undefined : parts.parent;
  for (const name of [word, service === undefined ? '' : serviceName(service)]) {
    const item = state.get(name);
    if (item !== undefined && !sees(sight, audienceOf(item, state))) return true;
  }
  return false;
}

const BROKEN = 'A service that you may not see needs what this would take away, or would be needed for this.';

/**
 * Violations as their caller may read them: those that name what is hidden say only that there is something, and not
 * how much of it (SEC3).
 */
export function unnamed(
  violations: readonly Violation[],
  findings: readonly Finding[],
  sight: Sight | undefined,
  states: readonly Reader[],
): readonly Violation[] {
  if (sight === undefined || sight.keys === 'all') return violations;
  const said = new Set<string>();
  const told: Violation[] = [];
  violations.forEach(({ fix, ...violation }, i) => {
    if (namesHidden(JSON.stringify(violation), sight, states)) {
      const about = findings[i]?.about ?? '';
      const resource = about !== '' && !namesHidden(about, sight, states) ? about : 'services/-';
      const key = `${violation.rule} ${resource}`;
      if (!said.has(key)) told.push({ code: 'hidden', rule: violation.rule, resource, message: BROKEN });
      said.add(key);
    } else {
      const canFix = fix !== undefined && !namesHidden(JSON.stringify(fix), sight, states);
      told.push(canFix ? { ...violation, fix } : violation);
    }
  });
  return told;
}

export const withoutHidden = (warnings: readonly Warning[], sight: Sight, state: Reader): readonly Warning[] =>
  warnings.filter((warning) => !namesHidden(JSON.stringify(warning), sight, [state]));

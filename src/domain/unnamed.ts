import type { Delta } from './delta.ts';
import type { Fix, Violation } from './errors.ts';
import type { Finding } from './finding.ts';
import { references } from './indexes.ts';
import { serviceOf } from './lookup.ts';
import { parseName, serviceName } from './names.ts';
import type { Reader } from './view.ts';
import { audienceOf, audienceOfService, sees, type Sight } from './visibility.ts';

type States = Pick<Delta, 'before' | 'after'>;

/**
 * Whether a name is of something that the caller may not see, or of a part of it. What was there before the command is
 * seen as it was then. Names are looked at and never texts: what a text says may be the caller's own words, and an
 * answer that depended on whether they happen to be somebody's name would tell that they are.
 */
export function isHiddenName(name: string, sight: Sight, { before, after }: States): boolean {
  const parts = parseName(name);
  if (sight.keys === 'all' || parts === undefined) return false;
  const service = parts.kind === 'service' ? parts.id : parts.kind === 'serviceAccount' ? undefined : parts.parent;
  for (const state of [before, after]) {
    const owner = service === undefined ? undefined : serviceOf(state, service);
    if (owner !== undefined) return !sees(sight, audienceOfService(owner));
    const item = state.get(name);
    if (item !== undefined) return !sees(sight, audienceOf(item, state));
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
  states: States,
): readonly Violation[] {
  if (sight === undefined || sight.keys === 'all') return violations;
  const isHidden = (name: string): boolean => isHiddenName(name, sight, states);
  const said = new Set<string>();
  const told: Violation[] = [];
  violations.forEach(({ fix, ...violation }, i) => {
    const { about = '', mentions = [] } = findings[i] ?? {};
    if ([...namesIn(violation), about, ...mentions].some(isHidden)) {
      const resource = about !== '' && !isHidden(about) ? about : 'services/-';
      const key = `${violation.rule} ${resource}`;
      if (!said.has(key)) told.push({ code: 'hidden', rule: violation.rule, resource, message: BROKEN });
      said.add(key);
    } else {
      const isTold = fix !== undefined && !namesInFix(fix, states.before).some(isHidden);
      told.push(isTold ? { ...violation, fix } : violation);
    }
  });
  return told;
}

function namesIn({ resource, importer, imported }: Violation): string[] {
  return [resource, ...[importer, imported].flatMap((service) => (service === undefined ? [] : serviceName(service)))];
}

/** What a fix changes, what it writes there, and what it takes out. */
function namesInFix({ path, body }: Fix, before: Reader): string[] {
  const documents = path === '/v1/apply' ? (body as readonly Named[]) : [{ ...(body as object), name: path.slice(4) }];
  return documents.flatMap((document) => {
    const item = before.get(document.name);
    return [document.name, ...namesInDocument(document), ...(item === undefined ? [] : references(item))];
  });
}

interface Named {
  readonly name: string;
  readonly imports?: readonly { readonly service: string }[];
  readonly uses?: readonly string[];
  readonly members?: readonly string[];
}

const namesInDocument = ({ imports = [], uses = [], members = [] }: Named): string[] =>
  [...imports.map(({ service }) => service), ...uses, ...members].map(serviceName);

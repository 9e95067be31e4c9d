import { check } from './checks.ts';
import type { CatalogCommand, Command, Decision, InstanceCommand, Outcome, Validate } from './command.ts';
import { changeOf } from './change-of.ts';
import type { Delta, Touch } from './delta.ts';
import type { Refusal } from './errors.ts';
import type { Finding } from './finding.ts';
import { withFixes } from './fixes.ts';
import { hiddenInstances, hiddenReferences, hiddenTargets, takenName, without, type Hidden } from './hidden.ts';
import { decideInstances } from './instances/decide-instances.ts';
import { Masked } from './masked.ts';
import { overQuota } from './quota.ts';
import { resolve, type Resolved } from './resolve.ts';
import { withAudiences } from './audiences.ts';
import { seenOutcomes } from './seen-outcomes.ts';
import { isHiddenName, unnamed } from './unnamed.ts';
import type { Reader } from './view.ts';
import type { Sight } from './visibility.ts';
import { warningsOf } from './warnings.ts';

/**
 * What a command does to a state: the changes of one revision, or why not. Nothing is written here; the same decision
 * serves a dry run (COV5). `state` satisfies every rule, and so does the state after an accepted command (COV2).
 */
export function decide(state: Reader, command: Command, revision: number, validate: Validate): Decision {
  return 'instances' in command
    ? decideInstances(withoutHiddenInstances(state, command), command, revision)
    : decideCatalog(state, command, revision, validate);
}

/** Instances that are hidden from the caller are not there for what it says about them. */
function withoutHiddenInstances(state: Reader, command: InstanceCommand): Reader {
  const hidden = hiddenInstances(state, command);
  return hidden === undefined ? state : without(state, hidden);
}

function decideCatalog(state: Reader, command: CatalogCommand, revision: number, validate: Validate): Decision {
  const targets = hiddenTargets(state, command);
  if (targets !== undefined) return decideWithout(targets, state, command, revision, validate);
  const resolved = resolve(state, command, revision, validate);
  if ('code' in resolved) return { ok: false, refusal: resolved };
  const references = hiddenReferences(resolved, command.sight);
  if (references !== undefined) return decideWithout(references, state, command, revision, validate);
  const taken = takenName(resolved, command.sight);
  if (taken !== undefined) return { ok: false, refusal: { code: 'forbidden', detail: cannotBeHad(taken) } };
  if (resolved.touches.size > 0) {
    const findings = findingsOf(resolved, command.sight);
    if (findings.length > 0) return { ok: false, refusal: conflict(resolved, findings, command, revision, validate) };
    const over = overQuota(state, resolved.after, resolved.touches.values(), command.limits, command.sight);
    if (over !== undefined) return { ok: false, refusal: over };
  }
  const named = command.edits.map((edit) => edit.name);
  return {
    ok: true,
    changes: withAudiences(Array.from(resolved.touches.values(), changeOf), state, resolved.after, {
      revision,
      time: new Date(command.at).toISOString(),
    }),
    ...seenOutcomes(outcomesOf(resolved, named), command.sight, resolved),
    warnings: warningsOf(resolved, named, command.at, command.sight),
  };
}

/**
 * Without what is hidden, some of what needs it may be left over: that would tell of both. What is hidden has no findings
 * then; it has them once the command is about nothing hidden any more.
 */
function findingsOf(resolved: Resolved, sight: Sight | undefined): readonly Finding[] {
  const findings = check(resolved);
  if (!(resolved.before instanceof Masked) || sight === undefined) return findings;
  return findings.filter(({ violation }) => !isHiddenName(violation.resource, sight, resolved));
}

/** As if the hidden were not there (SEC3); but for what would be put in its place, which is taken. */
function decideWithout(
  hidden: Hidden,
  state: Reader,
  command: CatalogCommand,
  revision: number,
  validate: Validate,
): Decision {
  const masked = without(state, hidden);
  const decision = decideCatalog(masked, command, revision, validate);
  if (!decision.ok) return decision;
  const taken = command.edits.find(({ name }) => state.get(name) !== undefined && masked.get(name) === undefined);
  return { ok: false, refusal: { code: 'forbidden', detail: cannotBeHad(taken?.name ?? 'A name') } };
}

const cannotBeHad = (name: string): string => `${name} cannot be had: choose another id.`;

function conflict(
  delta: Delta,
  findings: readonly Finding[],
  { caller, at, edits: named, sight }: CatalogCommand,
  revision: number,
  validate: Validate,
): Refusal {
  const all = withFixes(
    delta,
    findings,
    named.map((edit) => edit.name),
    (edits) => {
      const resolved = resolve(delta.before, { caller, at, edits }, revision, validate);
      return !('code' in resolved) && check(resolved).length === 0;
    },
  );
  const violations = unnamed(all, findings, sight, delta);
  const first = violations[0]?.message ?? '';
  const rest = violations.length - 1;
  return { code: 'conflict', detail: rest === 0 ? first : `${first} And ${rest} more.`, violations };
}

/** The named resources in order, then what was pruned and what followed. */
function outcomesOf({ before, touches }: Resolved, named: readonly string[]): Outcome[] {
  let changed = 0;
  const outcomes = named.map((name): Outcome => {
    const touch = touches.get(name);
    if (touch === undefined) {
      const item = before.get(name);
      return { name, op: 'unchanged', before: item, after: item };
    }
    changed++;
    return outcomeOf(touch);
  });
  if (changed < touches.size) {
    const seen = new Set(named);
    for (const touch of touches.values()) if (!seen.has(touch.name)) outcomes.push(outcomeOf(touch));
  }
  return outcomes;
}

function outcomeOf({ name, before, after }: Touch): Outcome {
  const op = after === undefined ? 'deleted' : before === undefined ? 'created' : 'updated';
  return { name, op, before, after };
}

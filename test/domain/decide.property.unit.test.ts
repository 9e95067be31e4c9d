import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { violationsOf } from '../../src/domain/audit-state.ts';
import { decodeChanges, encodeChanges } from '../../src/domain/codec.ts';
import type { CatalogCommand } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import { Draft } from '../../src/domain/draft.ts';
import type { Fix, Violation } from '../../src/domain/errors.ts';
import { indexKeys } from '../../src/domain/indexes.ts';
import { resolve } from '../../src/domain/resolve.ts';
import { View, type Reader } from '../../src/domain/view.ts';
import { Random } from '../support/random.ts';
import { BEGINNING, randomCommand } from './random-commands.ts';
import { afterFixes, applyFixes, editsOf, keyOf, validate, violationsIn, World } from './world.ts';

const STEPS = 250;

const dump = (view: View): string =>
  Array.from(view.all(), (item) => item.json)
    .sort()
    .join('\n');

/** Which of the services of a cycle it is told from is the check's own choice. */
const keysOf = (violations: readonly Violation[]): string[] =>
  violations.map((one) => (one.code === 'import-cycle' ? one.code : keyOf(one))).sort();

const times = (all: readonly Violation[], one: Violation): number =>
  all.filter((other) => keyOf(other) === keyOf(one)).length;

function fixesOf(violations: readonly Violation[]): Fix[] {
  const fixes = new Map<string, Fix>();
  for (const { fix } of violations) if (fix !== undefined) fixes.set(JSON.stringify(fix), fix);
  return [...fixes.values()];
}

/** Random commands, one after the other; now and then the fixes of a refusal are followed, so that the catalog fills. */
function history(seed: number, visit: (world: World, command: CatalogCommand) => void): World {
  const random = new Random(seed);
  const world = new World(BEGINNING);
  for (let step = 0; step < STEPS; step++) {
    const command = randomCommand(random);
    visit(world, command);
    const decision = world.run(command.edits, command);
    if (decision.ok || decision.refusal.code !== 'conflict' || !random.chance(0.3)) continue;
    for (const fix of fixesOf(decision.refusal.violations)) world.run(editsOf(fix));
    world.run(command.edits, command);
  }
  return world;
}

function histories(count: number, visit: (world: World, command: CatalogCommand, seed: number) => void): void {
  for (let seed = 1; seed <= count; seed++) history(seed, (world, command) => visit(world, command, seed));
}

class Tally {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  get seen(): string[] {
    return [...this.#counts.keys()].sort();
  }
}

describe('random histories', () => {
  test('COV2: a command is refused for exactly what would be wrong afterwards, and no accepted state is wrong', () => {
    const verdicts = new Tally();
    const codes = new Tally();
    histories(20, (world, command, seed) => {
      const before = dump(world.view);
      const decision = decide(world.view, command, world.revision + 1, validate);
      const resolved = resolve(world.view, command, world.revision + 1, validate);
      if (dump(world.view) !== before) throw new Error(`seed ${seed}: a decision changed the state`);
      if ('code' in resolved) {
        expect(decision).toEqual({ ok: false, refusal: resolved });
        verdicts.add(resolved.code);
        return;
      }
      const wrong = violationsOf(resolved.after);
      const found = keysOf(violationsIn(decision));
      if (!isDeepStrictEqual(found, keysOf(wrong)))
        expect({ seed, command, found }).toEqual({ seed, found: keysOf(wrong) });
      verdicts.add(decision.ok ? 'accepted' : 'conflict');
      for (const { code } of wrong) codes.add(code);
    });
    expect(verdicts.of('accepted')).toBeGreaterThan(1500);
    expect(verdicts.of('conflict')).toBeGreaterThan(1000);
    expect(codes.seen).toEqual([
      'bundle-domains-differ',
      'bundle-member-not-public',
      'bundle-not-deployed-together',
      'bundle-not-in-every-region',
      'bundle-primary-regions-differ',
      'bundle-versions-differ',
      'import-cycle',
      'import-disabled',
      'import-not-deployed',
      'import-version-retired',
      'import-version-too-old',
      'import-version-unknown',
      'parent-missing',
      'primary-region-not-deployed',
      'reference-missing',
      'region-missing',
      'self-import',
      'service-in-two-bundles',
      'version-missing',
      'version-retired',
    ]);
  });

  test('COV2: every fix is accepted as it is, and mends the violation it comes with', () => {
    const outcomes = new Tally();
    histories(12, (world, command, seed) => {
      const decision = decide(world.view, command, world.revision + 1, validate);
      if (decision.ok || decision.refusal.code !== 'conflict') return;
      const { violations } = decision.refusal;
      for (const violation of violations) {
        if (violation.fix === undefined) {
          outcomes.add('none');
          continue;
        }
        const after = afterFixes(world.view, world.revision, [violation.fix], command);
        const left = after.ok ? [] : after.refusal.code === 'conflict' ? after.refusal.violations : violations;
        if (times(left, violation) >= times(violations, violation)) {
          expect({ seed, command, violation }).toBe('mended');
        }
        outcomes.add('mended');
      }
    });
    expect(outcomes.of('mended')).toBeGreaterThan(1000);
    expect(outcomes.of('mended')).toBeGreaterThan(outcomes.of('none'));
  });

  test('COV2: a deployment or an import that is refused is accepted once its fixes have been applied', () => {
    const outcomes = new Tally();
    histories(20, (world, command, seed) => {
      const [edit] = command.edits;
      if (command.edits.length > 1 || command.prune !== undefined || edit === undefined || edit.op === 'delete') return;
      if (!/\/(deployments|versions)\//.test(edit.name)) return;
      const draft = new Draft(world.view);
      for (let round = 0; ; round++) {
        const decision = decide(draft, command, world.revision + 1, validate);
        if (decision.ok) return outcomes.add(`accepted after ${round}`);
        if (decision.refusal.code !== 'conflict') return;
        const { violations } = decision.refusal;
        if (violations.some(({ fix }) => fix === undefined)) return outcomes.add('left without a fix');
        // What a version needs is said only when the version is there and in use: REF1 comes first, then the rest.
        if (round > 3) expect({ seed, command, violations }).toBe('accepted');
        const last = violations.every(({ rule }) => rule !== 'REF1' && rule !== 'CAT1');
        applyFixes(draft, world.revision, fixesOf(violations));
        const after = decide(draft, command, world.revision + 1, validate);
        if (last && !after.ok) expect({ seed, command, violations, left: after.refusal }).toBe('accepted');
      }
    });
    expect(outcomes.of('accepted after 1')).toBeGreaterThan(300);
    expect(outcomes.of('accepted after 1')).toBeGreaterThan(5 * outcomes.of('left without a fix'));
  });

  test('REV3, COV5: deciding twice is the same, and what is sent again after it was accepted changes nothing', () => {
    histories(10, (world, command, seed) => {
      const revision = world.revision + 1;
      const decision = decide(world.view, command, revision, validate);
      expect(isDeepStrictEqual(decide(world.view, command, revision, validate), decision)).toBe(true);
      if (!decision.ok || decision.changes.length === 0) return;
      for (const { after } of decision.outcomes) {
        if (after !== undefined && JSON.stringify(after.value) !== after.json)
          throw new Error(`seed ${seed}: ${after.json}`);
      }
      if (!isDeepStrictEqual(decodeChanges(JSON.parse(encodeChanges(decision.changes))), decision.changes)) {
        expect(decodeChanges(JSON.parse(encodeChanges(decision.changes)))).toEqual(decision.changes);
      }
      if (command.edits.some(({ op }) => op === 'delete')) return;
      const after = new Draft(world.view);
      after.absorb(decision.changes);
      const again = decide(after, { ...command, at: command.at + 1 }, revision + 1, validate);
      if (!again.ok || again.changes.length > 0) expect({ seed, command, again }).toBe('unchanged');
    });
  });

  test('REV1: a view folded change by change, one built at once, and a draft agree, indexes included', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const keys = new Set<string>();
      const { view } = history(seed, (world) => {
        for (const item of world.view.all()) for (const key of indexKeys(item)) keys.add(key);
      });
      const built = new View();
      built.fold(Array.from(view.all(), (item) => ({ op: 'put', item })));
      sameBuckets(view, built, keys);
      const beginning = new World(BEGINNING).view;
      const early = new Draft(beginning);
      early.bucket('kind:service');
      const late = new Draft(beginning);
      for (const draft of [early, late]) {
        for (const { name } of beginning.all()) if (view.get(name) === undefined) draft.delete(name);
        for (const item of view.all()) draft.put(item);
        sameBuckets(view, draft, keys);
      }
    }
  });
});

const bucketOf = (state: Reader, key: string): string[] => Array.from(state.bucket(key), (item) => item.json).sort();

function sameBuckets(a: Reader, b: Reader, keys: Iterable<string>): void {
  for (const key of keys) expect(bucketOf(b, key)).toEqual(bucketOf(a, key));
}

import { describe, expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { parseName } from '../../src/domain/names.ts';
import { compareVersions, newestOf } from '../../src/domain/versions.ts';

const number = fc.oneof(fc.nat(3), fc.nat(999_999_999)).map(String);
const dotted = fc.array(number, { maxLength: 7 }).map((parts) => parts.map((part) => `.${part}`).join(''));
const stage = fc.tuple(fc.constantFrom('alpha', 'beta'), number).map((parts) => parts.join(''));
const version = fc.tuple(number, fc.oneof(dotted, stage)).map(([major, rest]) => `v${major}${rest}`);
const anything = fc.oneof(
  { weight: 5, arbitrary: version },
  fc.string(),
  fc.constantFrom('v1', 'v01', 'v1.0', 'v1alpha1', ''),
);

const rank = (rest: string): number => (rest.startsWith('alpha') ? 0 : rest.startsWith('beta') ? 1 : 2);
const numbers = (rest: string): number[] => (rest.match(/\d+/g) ?? []).map(Number);

/** The order once more, in the words of its definition. */
function naive(a: string, b: string): number {
  const [, majorA = '', restA = ''] = /^v(\d+)(.*)$/.exec(a) ?? [];
  const [, majorB = '', restB = ''] = /^v(\d+)(.*)$/.exec(b) ?? [];
  if (Number(majorA) !== Number(majorB)) return Number(majorA) - Number(majorB);
  if (rank(restA) !== rank(restB)) return rank(restA) - rank(restB);
  const [left, right] = [numbers(restA), numbers(restB)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length || (a === b ? 0 : a < b ? -1 : 1);
}

describe('version order', () => {
  test('v1alpha1 < v1alpha2 < v1beta1 < v1 < v1.0 < v1.1 < v1.10 < v2alpha1 < v2', () => {
    const order = [
      'v1alpha1',
      'v1alpha2',
      'v1alpha10',
      'v1beta1',
      'v1',
      'v1.0',
      'v1.0.1',
      'v1.1',
      'v1.10',
      'v2alpha1',
      'v2',
      'v10',
    ];
    for (const [i, a] of order.entries()) {
      for (const [j, b] of order.entries()) expect(Math.sign(compareVersions(a, b))).toBe(Math.sign(i - j));
    }
    expect(newestOf(order)).toBe('v10');
    expect(newestOf([])).toBeUndefined();
  });

  test('agrees with its definition on every version that a name may hold', () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(parseName(`services/a.test/versions/${a}`)).toBeDefined();
        expect(Math.sign(compareVersions(a, b))).toBe(Math.sign(naive(a, b)));
      }),
      { numRuns: 1000 },
    );
  });

  test('is total, antisymmetric and transitive on any text', () => {
    fc.assert(
      fc.property(anything, anything, anything, (a, b, c) => {
        const [x, y, z] = [a, b, c].sort(compareVersions) as [string, string, string];
        expect(compareVersions(x, y)).toBeLessThanOrEqual(0);
        expect(compareVersions(y, z)).toBeLessThanOrEqual(0);
        expect(compareVersions(x, z)).toBeLessThanOrEqual(0);
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
        expect(compareVersions(a, b) === 0).toBe(a === b);
      }),
      { numRuns: 1000 },
    );
  });

  test('what is kept of earlier comparisons is bounded, and losing it changes nothing', () => {
    let wrong = 0;
    for (let i = 0; i < 25_000; i++) if (compareVersions(`v1.${i}`, `v1.${i + 1}`) >= 0) wrong++;
    expect(wrong).toBe(0);
  });
});

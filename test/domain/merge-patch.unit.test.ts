import { describe, expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { mergePatch } from '../../src/domain/merge-patch.ts';

/** The examples of RFC 7396, appendix A: original, patch, result. */
const EXAMPLES: readonly [unknown, unknown, unknown][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

/** The pseudo code of RFC 7396, section 2. */
function model(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const source = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const result = new Map(Object.entries(source));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, model(result.get(key), value));
  }
  return Object.fromEntries(result);
}

describe('merge patch (RFC 7396)', () => {
  test.each(EXAMPLES)('%j with %j is %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  test('agrees with the pseudo code, and changes neither argument', () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(json, json, (target, patch) => {
        fc.pre(!JSON.stringify([target, patch]).includes('__proto__'));
        const before = JSON.stringify([target, patch]);
        expect(mergePatch(target, patch)).toEqual(model(target, patch));
        expect(JSON.stringify([target, patch])).toBe(before);
      }),
      { numRuns: 500 },
    );
  });

  test('never reaches a prototype', () => {
    const patch = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":{"__proto__":{"polluted":1}}}',
    );
    const merged = mergePatch({ a: {} }, patch) as Record<string, unknown>;
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(merged['polluted']).toBeUndefined();
    expect(Object.hasOwn(merged, '__proto__')).toBe(false);
    expect((merged['a'] as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(mergePatch(JSON.parse('{"__proto__":1}'), { b: 2 })).toEqual(JSON.parse('{"__proto__":1,"b":2}'));
  });

  test('a patch as deep as a body can be does not overflow the stack', () => {
    const depth = 100_000;
    let merged = mergePatch({}, JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`));
    for (let i = 0; i < depth; i++) merged = (merged as { a: unknown }).a;
    expect(merged).toBe(1);
  });
});

import { expect, test } from '@jest/globals';
import { Recent } from '../../src/domain/recent.ts';

test('what was used last is kept, and what was not is forgotten', () => {
  const recent = new Recent<number>(3);
  for (let n = 0; n < 100; n++) {
    recent.set(`k${n}`, n);
    expect(recent.get('k0')).toBe(0);
  }
  const kept = Array.from({ length: 100 }, (_, n) => recent.get(`k${n}`)).filter((value) => value !== undefined);
  expect(kept).toEqual(expect.arrayContaining([0, 99]));
  expect(kept.length).toBeLessThanOrEqual(6);
});

test('the last three of three are there, and a new value takes the place of the old one', () => {
  const recent = new Recent<string>(3);
  for (const key of ['a', 'b', 'c', 'd', 'e']) recent.set(key, key);
  expect(['c', 'd', 'e'].map((key) => recent.get(key))).toEqual(['c', 'd', 'e']);
  recent.set('e', 'other');
  expect(recent.get('e')).toBe('other');
  expect(recent.get('f')).toBeUndefined();
});

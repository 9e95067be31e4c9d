import { expect, test } from '@jest/globals';
import { Random } from '../support/random.ts';
import type { Told } from './record.ts';
import { ToldBook } from './told-book.ts';

const told = (at: number, since: number, rest: Partial<Told> = {}): Told => ({
  name: 'instances/a',
  revision: 10,
  at,
  watcher: `w${at}`,
  node: 'node-1',
  since,
  ...rest,
});

test('whoever was told too late, and had been there before, is found in it as in the whole story', () => {
  const random = new Random(7);
  for (let round = 0; round < 60; round++) {
    const book = new ToldBook();
    const whole: Told[] = [];
    for (let at = 100; at < 140; at++) {
      const one = told(at, random.below(100), { node: `node-${random.below(2)}`, revision: random.below(2) });
      whole.push(one);
      book.note(one);
    }
    const { all } = book;
    const wrong: object[] = [];
    for (const node of ['node-0', 'node-1'])
      for (const revision of [0, 1])
        for (let death = 0; death < 100; death += 7)
          for (let deadline = 100; deadline < 140; deadline += 3) {
            const isLate = (one: Told): boolean =>
              one.node === node && one.revision === revision && one.since < death && one.at > deadline;
            if (all.some(isLate) !== whole.some(isLate)) wrong.push({ node, revision, death, deadline });
          }
    expect(wrong).toEqual([]);
    const first = (those: readonly Told[]): number => Math.min(...those.map(({ at }) => at));
    expect(first(all)).toBe(first(whole));
  }
});

test('of a thousand watchers who are told one after the other it keeps two', () => {
  const book = new ToldBook();
  for (let i = 0; i < 1000; i++) book.note(told(1000 + i, 5));
  expect(book.all.map(({ at }) => at)).toEqual([1000, 1999]);
});

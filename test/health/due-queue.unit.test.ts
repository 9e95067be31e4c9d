import { describe, expect, test } from '@jest/globals';
import { DueQueue, type Due } from '../../src/health/due-queue.ts';
import { Random } from '../support/random.ts';

class Entry implements Due {
  dueAt = 0;
  slot = -1;
}

describe('the queue of what is due', () => {
  test('takes out in order of time, and only what is due', () => {
    const queue = new DueQueue<Entry>();
    const [a, b, c] = [new Entry(), new Entry(), new Entry()];
    queue.set(a, 30);
    queue.set(b, 10);
    queue.set(c, 20);
    expect([queue.nextAt, queue.take(9), queue.take(20), queue.take(20), queue.take(20)]).toEqual([
      10,
      undefined,
      b,
      c,
      undefined,
    ]);
    queue.set(a, Infinity);
    expect([queue.size, queue.nextAt, a.slot]).toEqual([0, Infinity, -1]);
  });

  test('random schedules come out as a sorted list says', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Random(seed);
      const queue = new DueQueue<Entry>();
      const entries = Array.from({ length: 40 }, () => new Entry());
      const model = new Map<Entry, number>();
      let now = 0;
      for (let step = 0; step < 300; step++) {
        const entry = random.pick(entries);
        if (random.chance(0.6)) {
          const at = random.chance(0.1) ? Infinity : now + random.below(50);
          queue.set(entry, at);
          if (at === Infinity) model.delete(entry);
          else model.set(entry, at);
        } else if (random.chance(0.3)) {
          queue.remove(entry);
          model.delete(entry);
        } else {
          now += random.below(10);
          const first = Math.min(...model.values());
          const taken = queue.take(now);
          const isRight = (taken === undefined ? Infinity : model.get(taken)) === (first <= now ? first : Infinity);
          if (!isRight) throw new Error(`seed ${seed}: ${first} was due at ${now}`);
          if (taken !== undefined) model.delete(taken);
        }
        const isSame = queue.size === model.size && entries.every((each) => each.slot >= 0 === model.has(each));
        if (!isSame) throw new Error(`seed ${seed}: the queue has others than were put in`);
      }
    }
  });

  test('a hundred thousand are put in, moved and taken out in order', () => {
    const queue = new DueQueue<Entry>();
    const random = new Random(1);
    const entries = Array.from({ length: 100_000 }, () => new Entry());
    for (const entry of entries) queue.set(entry, random.next());
    for (const entry of entries) queue.set(entry, random.next());
    let last = 0;
    for (let entry = queue.take(1); entry !== undefined; entry = queue.take(1)) {
      if (entry.dueAt < last) throw new Error('out of order');
      last = entry.dueAt;
    }
    expect(queue.size).toBe(0);
  });
});

import { expect, test } from '@jest/globals';
import { InProcessNetwork } from '../../src/bus/in-process.ts';
import { makeItem } from '../../src/domain/item.ts';
import type { Value } from '../../src/domain/resources.ts';
import { Tail } from '../../src/feed/tail.ts';
import { MemoryStore } from '../support/memory-store.ts';

test('PUSH11 news that has the form of news and is none ends nothing: the view is loaded anew, and answers again', async () => {
  const tail = new Tail(new MemoryStore());
  const network = new InProcessNetwork();
  const [bus, teller] = [network.join(), network.join()];
  await tail.open();
  const reloads: string[] = [];
  const counted: string[] = [];
  tail.listen({ onAdvance: () => undefined, onReload: (reason) => reloads.push(reason) });
  tail.follow(
    bus,
    (error) => reloads.push(String(error)),
    (news) => counted.push(news),
  );
  const item = makeItem({ name: 'services/payments.example', revision: 1 } as unknown as Value);
  const entry = { revision: 1, at: 0, author: 'nobody', changes: [{ op: 'put', item } as const] };
  teller.publish({ epoch: tail.head.epoch, from: 1, to: 1, entries: [entry] });
  for (let turns = 0; turns < 50; turns++) await Promise.resolve();
  expect(counted).toEqual(['unreadable']);
  expect(reloads).toEqual(['differs']);
  expect([tail.ready, tail.head.revision, tail.view.size]).toEqual([true, 0, 0]);
});

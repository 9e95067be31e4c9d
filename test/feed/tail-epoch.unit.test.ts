import { expect, test } from '@jest/globals';
import type { Entry } from '../../src/domain/item.ts';
import { Tail } from '../../src/feed/tail.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { append, entry, put } from '../store/fixtures.ts';

/** Something happens between the look at the head and the read of the log. */
class RestoredStore extends MemoryStore {
  beforeRead: (() => Promise<unknown>) | undefined;

  override async changesSince(...args: Parameters<MemoryStore['changesSince']>): Promise<Entry[]> {
    const { beforeRead } = this;
    this.beforeRead = undefined;
    await beforeRead?.();
    return super.changesSince(...args);
  }
}

test('REV4 PUSH3 what another epoch says is never folded into the view of this one, also if it begins in the middle of a read', async () => {
  const store = new RestoredStore();
  const write = (id: string): Promise<unknown> => append(store, (revision) => entry(revision, [put(id, revision)]));
  await write('aa');
  const tail = new Tail(store);
  await tail.open();
  const told = newsOf(tail);
  await write('bb');
  store.beforeRead = async () => {
    await store.newEpoch();
    await write('cc');
  };
  await tail.catchUp();
  expect(told).toEqual(['reload: epoch e2@3']);
  expect(tail.view.size).toBe(3);
});

test('REV4 what was read of one epoch is not folded into a view that was replaced by one of another meanwhile', async () => {
  const restored = { epoch: 'e2', revision: 1, trimmed: 0 };
  const loads = [{ epoch: 'e1', revision: 1, trimmed: 0 }];
  const heads = [{ epoch: 'e1', revision: 2, trimmed: 0 }];
  const tail = new Tail({
    load: () => Promise.resolve({ head: loads.shift() ?? restored, items: [] }),
    head: () => Promise.resolve(heads.shift() ?? restored),
    changesSince: () => {
      void tail.replace({ head: restored, items: [] });
      return Promise.resolve([entry(2, [put('aa', 2)])]);
    },
  });
  await tail.open();
  const told = newsOf(tail);
  await tail.catchUp();
  expect(told).toEqual(['reload: differs e2@1']);
  expect(tail.view.size).toBe(0);
});

function newsOf(tail: Tail): string[] {
  const told: string[] = [];
  tail.listen({
    onAdvance: (entries) => told.push(`advance to ${entries.at(-1)?.entry.revision}`),
    onReload: (reason) => told.push(`reload: ${reason} ${tail.head.epoch}@${tail.head.revision}`),
  });
  return told;
}

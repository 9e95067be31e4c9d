import { makeItem, type AnyItem, type Change, type Entry } from '../../src/domain/item.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailable, type Store } from '../../src/store/port.ts';
import { changeName } from '../../src/domain/item.ts';

export const everything = { entries: 1_000_000, bytes: 1_000_000_000 };

export function region(id: string, revision: number, title = '', labels: Record<string, string> = {}): AnyItem {
  const time = '2026-11-21T12:00:00.000Z';
  return makeItem({ name: `regions/${id}`, revision, createTime: time, updateTime: time, title, labels });
}

export const put = (id: string, revision: number, title?: string): Change => ({
  op: 'put',
  item: region(id, revision, title),
});

export const remove = (id: string, was: Record<string, string> = {}): Change => ({
  op: 'delete',
  kind: 'region',
  name: `regions/${id}`,
  was,
});

export function entry(revision: number, changes: readonly Change[], more: Partial<Entry> = {}): Entry {
  return { revision, at: Date.now(), author: 'somebody', changes, ...more };
}

/** Commits entries made from the revisions they get, on top of whatever is there. */
export async function append(store: Store, ...makers: ((revision: number) => Entry)[]): Promise<Entry[]> {
  for (;;) {
    const { epoch, revision: base } = await store.head();
    const entries = makers.map((make, i) => make(base + 1 + i));
    if (await store.commit({ epoch, base, entries })) return entries;
  }
}

/** What the log says the state is. */
export function replay(entries: readonly Entry[], before: readonly AnyItem[] = []): AnyItem[] {
  const state = new Map(before.map((item) => [item.name, item]));
  for (const change of entries.flatMap(({ changes }) => changes)) {
    if (change.op === 'put') state.set(changeName(change), change.item);
    else state.delete(changeName(change));
  }
  return byName([...state.values()]);
}

export const byName = (items: readonly AnyItem[]): AnyItem[] =>
  items.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));

export async function itemNamed(store: Store, id: string): Promise<AnyItem | undefined> {
  const { items } = await store.load();
  return items.find(({ name }) => name === `regions/${id}`);
}

/** 1, 2, 3 after `from`: nothing missing, nothing twice, in order. */
export function isGapless(entries: readonly { revision: number }[], from: number): boolean {
  return entries.every(({ revision }, i) => revision === from + 1 + i);
}

/** What the call rejected with, and how long it took. */
export async function failure(call: () => Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const began = performance.now();
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, ms: performance.now() - began };
}

/** Waits for what is about to happen, however busy the machine is. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUp = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > giveUp) throw new Error('it did not happen');
    await sleep(10);
  }
}

/** Until the store answers again, without being opened again. */
export async function untilBack(store: Store): Promise<void> {
  const giveUp = performance.now() + 15_000;
  for (;;) {
    try {
      await store.head();
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || performance.now() > giveUp) throw error;
    }
    await sleep(50);
  }
}

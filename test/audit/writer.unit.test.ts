import { expect, test } from '@jest/globals';
import { AuditWriter } from '../../src/audit/writer.ts';
import type { AuditEntry } from '../../src/domain/audit.ts';
import { MemoryStore } from '../support/memory-store.ts';

function open({ maxWaiting = 1000, perWindow = 10 } = {}) {
  const store = new MemoryStore();
  const said: string[] = [];
  const counted = { written: 0, dropped: 0 };
  let now = 0;
  const writer = new AuditWriter({
    store,
    limits: { maxWaiting, perWindow, windowMs: 60_000, maxSorts: 100 },
    metrics: {
      written: () => void (counted.written += 1),
      dropped: (count) => void (counted.dropped += count),
    },
    log: {
      error: (_fields: unknown, message?: string) => void said.push(String(message)),
      info: (message: unknown) => void said.push(String(message)),
    },
    now: () => now,
    clock: () => 1000 + now,
  });
  const written = (): Promise<AuditEntry[]> => store.readAudit({}, { limit: 10_000 });
  const wait = (ms: number): void => void (now += ms);
  return { store, writer, said, counted, written, wait };
}

const LOGIN = { category: 'login', subject: 'rita', action: 'login', result: 'ok' } as const;
const REFUSAL = { category: 'refusal', subject: 'eve', action: 'catalog.write', result: 'forbidden' } as const;

test('SEC5 what is told is written with its time, in order', async () => {
  const { writer, written, wait, counted } = open();
  writer.note(LOGIN);
  wait(5);
  writer.note({ ...REFUSAL, target: 'regions/us' });
  expect(await written()).toEqual([]);
  await writer.flush();
  expect(await written()).toEqual([
    { ...REFUSAL, target: 'regions/us', at: 1005 },
    { ...LOGIN, at: 1000 },
  ]);
  expect(counted).toEqual({ written: 2, dropped: 0 });
});

test('SEC5 every login and operation is written, and of refusals that are alike so many a minute', async () => {
  const { writer, written, wait } = open({ perWindow: 2 });
  for (let i = 0; i < 50; i++) {
    writer.note(LOGIN);
    writer.note({ ...LOGIN, category: 'operation', action: 'token.revoke' });
    writer.note({ ...LOGIN, result: 'invalid-token' });
    writer.note(REFUSAL);
  }
  await writer.flush();
  expect(await written()).toHaveLength(50 + 50 + 2 + 2);
  wait(60_000);
  await writer.flush();
  const details = (await written()).map(({ detail }) => detail).filter((detail) => detail !== undefined);
  expect(details).toEqual(Array(2).fill('and 48 more like this in the last minute'));
});

test('SEC5 while the store is away entries wait, up to a bound; what is lost is counted, and said once', async () => {
  const { store, writer, written, said, counted } = open({ maxWaiting: 20 });
  store.failing = 'unavailable';
  for (let i = 0; i < 15; i++) writer.note({ ...LOGIN, subject: `s${i}` });
  await writer.flush();
  for (let i = 15; i < 50; i++) writer.note({ ...LOGIN, subject: `s${i}` });
  await writer.flush();
  expect(counted).toEqual({ written: 0, dropped: 30 });
  expect(said).toEqual([
    expect.stringContaining('audit entries wait'),
    expect.stringContaining('audit entries are lost'),
  ]);
  store.failing = false;
  await writer.flush();
  expect((await written()).map(({ subject }) => subject)).toEqual(Array.from({ length: 20 }, (_, i) => `s${i}`));
  expect([counted.written, said.length]).toEqual([20, 3]);
});

test('SEC5 what cannot be stored at all does not stand in the way of the rest', async () => {
  const { store, writer, written, counted } = open();
  const append = store.appendAudit.bind(store);
  store.appendAudit = () => Promise.reject(new Error('a bug'));
  writer.note(LOGIN);
  await writer.flush();
  store.appendAudit = append;
  writer.note({ ...LOGIN, subject: 'otto' });
  await writer.flush();
  expect((await written()).map(({ subject }) => subject)).toEqual(['otto']);
  expect(counted).toEqual({ written: 1, dropped: 1 });
});

test('SEC5 at the end everything is written, what was only counted too, and what cannot be is counted as lost', async () => {
  const { store, writer, written, counted } = open({ perWindow: 1 });
  for (let i = 0; i < 5; i++) writer.note(REFUSAL);
  await writer.close();
  expect((await written()).map(({ detail }) => detail)).toEqual([undefined, 'and 4 more like this in the last minute']);
  writer.note(LOGIN);
  store.failing = 'unavailable';
  await writer.close();
  expect(counted).toEqual({ written: 2, dropped: 1 });
});

test('SEC5 what a client can make long is cut', async () => {
  const { writer, written } = open();
  writer.note({ ...REFUSAL, subject: 'x'.repeat(5000) });
  await writer.flush();
  expect((await written())[0]?.subject).toBe(`${'x'.repeat(300)}…`);
});

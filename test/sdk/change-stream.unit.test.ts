import { expect, test } from '@jest/globals';
import { Store } from '../../src/sdk/cache/store.ts';
import { ChangeStream } from '../../src/sdk/watch/change-stream.ts';
import type { Resource, WatchChanges } from '../../src/sdk/watch/watch.ts';

function setUp() {
  const store = new Store();
  let revision = 0;
  const snapshot = () => store.snapshot({ epoch: 'e', revision });
  let returned = 0;
  const stream = new ChangeStream(snapshot, () => (returned += 1));
  const put = (name: string): void => {
    revision += 1;
    const value: Resource = { name, revision };
    const before = store.get(name);
    store.put(value);
    const change = { kind: 'region', name, revision, value, ...(before !== undefined && { before }) };
    stream.push({ type: 'changed', changes: [change], snapshot: snapshot() });
  };
  return { stream, put, returned: () => returned };
}

const inShort = ({ value }: IteratorResult<WatchChanges, undefined>): string =>
  value === undefined ? 'done' : `${value.type} ${value.changes.map(({ name }) => name).join(' ')}`.trim();

test('begins with what there is, and goes on with what comes', async () => {
  const { stream, put } = setUp();
  put('a');
  expect(inShort(await stream.next())).toBe('loaded a');
  put('b');
  put('a');
  expect([inShort(await stream.next()), inShort(await stream.next())]).toEqual(['changed b', 'changed a']);
  const waiting = [stream.next(), stream.next()];
  put('c');
  put('d');
  expect((await Promise.all(waiting)).map(inShort)).toEqual(['changed c', 'changed d']);
});

test('PUSH9 who does not keep up gets the newest state as one reload, never a gap', async () => {
  const { stream, put } = setUp();
  put('a');
  await stream.next();
  for (let i = 0; i < 5000; i++) put(`r${i % 10}`);
  const next = await stream.next();
  expect(inShort(next)).toMatch(/^reloaded /);
  expect(next.value?.changes).toHaveLength(10);
  expect(next.value?.changes.every(({ before }) => before === undefined)).toBe(true);
  put('z');
  expect(inShort(await stream.next())).toBe('changed z');
});

test('ends for who waits, and for who leaves the loop', async () => {
  const { stream, put, returned } = setUp();
  put('a');
  await stream.next();
  const waiting = stream.next();
  stream.end();
  expect(inShort(await waiting)).toBe('done');
  const other = setUp();
  other.put('a');
  for await (const changes of { [Symbol.asyncIterator]: () => other.stream }) {
    expect(changes.type).toBe('loaded');
    break;
  }
  expect([returned(), other.returned()]).toEqual([0, 1]);
});

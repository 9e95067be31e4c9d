import { expect, test } from '@jest/globals';
import { InProcessNetwork } from '../../src/bus/in-process.ts';
import { Tail } from '../../src/feed/tail.ts';
import { reportCommitFailures } from '../../src/outages.ts';
import { CommitLoop } from '../../src/registry/commit-loop.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { commandOf, put, region, validate } from '../domain/world.ts';
import { MemoryStore } from '../support/memory-store.ts';

class FullStore extends MemoryStore {
  isFull = false;

  override commit(batch: Parameters<MemoryStore['commit']>[0]) {
    if (!this.isFull) return super.commit(batch);
    return Promise.reject(new StoreUnavailable('commit: could not extend file: No space left on device'));
  }
}

test('why writes fail is said once, and once that they work again; each failure is counted', async () => {
  const store = new FullStore();
  const tail = new Tail(store);
  const bus = new InProcessNetwork().join();
  await tail.open();
  tail.follow(bus, () => undefined);
  const said: string[] = [];
  const error = (fields: { err: Error }, message: string): number => said.push(`${message} (${fields.err.message})`);
  const info = (message: string): number => said.push(message);
  let failures = 0;
  let isStopping = false;
  const outages = reportCommitFailures(
    () => isStopping,
    { error, info } as unknown as Parameters<typeof reportCommitFailures>[1],
    { inc: () => (failures += 1) },
  );
  const limits = { maxPending: 100, timeoutMs: 10_000 };
  const metrics = { batch: () => undefined };
  const now = (): number => performance.now();
  const loop = new CommitLoop({ store, ledger: tail, bus, validate, limits, metrics, outages, now });
  const write = (id: string): Promise<unknown> =>
    loop.execute(commandOf([put(region(id))])).catch(({ code }: { code: unknown }) => code);

  await write('eu-a');
  expect(said).toEqual([]);
  store.isFull = true;
  expect([await write('eu-b'), await write('eu-c')]).toEqual(['store-unavailable', 'store-unavailable']);
  const reason = 'commit: could not extend file: No space left on device';
  expect(said).toEqual([`the database does not take writes: they answer 503 (${reason})`]);
  store.isFull = false;
  expect(await write('eu-b')).toMatchObject({ ok: true });
  expect(said.slice(1)).toEqual(['the database takes writes again']);
  expect(failures).toBe(2);

  // What is still asked when the connections are closed says nothing of the database.
  isStopping = true;
  store.isFull = true;
  await write('eu-d');
  expect([said.length, failures]).toEqual([2, 2]);
});

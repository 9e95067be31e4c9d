import { beforeEach, expect, test } from '@jest/globals';
import type { Entry } from '../../src/domain/item.ts';
import type { Position } from '../../src/domain/position.ts';
import { History } from '../../src/feed/history.ts';
import { Ring } from '../../src/feed/ring.ts';
import { Turns } from '../../src/feed/turns.ts';
import { StoreUnavailable } from '../../src/store/port.ts';

/** A log of a thousand revisions that answers when it is told to. */
class WaitingLog {
  readonly asked: { from: number; answer: () => void; fail: (error: Error) => void }[] = [];
  author = 'e1';
  running = 0;
  most = 0;

  changesSince({ revision: from }: Position): Promise<Entry[]> {
    const { author } = this;
    this.most = Math.max(this.most, (this.running += 1));
    return new Promise<Entry[]>((resolve, reject) => {
      const answer = (): void => resolve([{ revision: from + 1, at: 0, author, changes: [] }]);
      this.asked.push({ from, answer, fail: reject });
    }).finally(() => (this.running -= 1));
  }
}

const LIMIT = { entries: 500, bytes: 1e6 };

let log: WaitingLog;
let state: { head: { epoch: string; revision: number; trimmed: number }; ring: Ring };
let history: History;
let time: number;
let counted: number;

beforeEach(() => {
  log = new WaitingLog();
  state = { head: { epoch: 'e1', revision: 1000, trimmed: 0 }, ring: new Ring(1000, 1000) };
  time = 0;
  counted = 0;
  const turns = new Turns({ atOnce: 2, patienceMs: 5000, now: () => time });
  const lookout = { reach: () => Promise.resolve() };
  history = new History({ store: log, state, lookout, turns, counter: { inc: () => void (counted += 1) } });
});

const read = (revision: number, epoch = 'e1') => history.read({ epoch, revision }, LIMIT);
const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('PUSH9 however many old positions are asked for, two reads of the log run at once, and the others have their turn', async () => {
  const reads = Array.from({ length: 400 }, (_, i) => read(i >> 1));
  for (let i = 0; i < 200; i++) {
    await turns();
    expect(log.asked).toHaveLength(Math.min(200, i + 2));
    log.asked[i]?.answer();
  }
  const found = await Promise.all(reads);
  expect(log.asked.map(({ from }) => from)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect([log.most, counted]).toEqual([2, 200]);
  expect(found.map((one) => one.kind === 'changes' && one.entries[0]?.revision)).toEqual(
    Array.from({ length: 400 }, (_, i) => (i >> 1) + 1),
  );
  // And once more, now that all is over.
  const again = read(3);
  log.asked.at(-1)?.answer();
  expect(await again).toMatchObject({ kind: 'changes' });
  expect(counted).toBe(201);
});

test('PUSH9 a read that fails lets the next one have its turn', async () => {
  const reads = Array.from({ length: 3 }, (_, i) => read(i).then(({ kind }) => kind, String));
  log.asked[0]?.fail(new StoreUnavailable('away'));
  await turns();
  for (const { answer } of log.asked) answer();
  expect(await Promise.all(reads)).toEqual(['StoreUnavailable: away', 'changes', 'changes']);
});

test('PUSH9 who has waited in vain for five seconds is told that the log is not to be had, without a read', async () => {
  const reads = Array.from({ length: 100 }, (_, i) => read(i).then(({ kind }) => kind, String));
  time = 5001;
  const late = read(500);
  log.asked[0]?.answer();
  log.asked[1]?.answer();
  await turns();
  expect(log.asked.map(({ from }) => from)).toEqual([0, 1, 500]);
  log.asked[2]?.answer();
  expect(await late).toMatchObject({ kind: 'changes' });
  const [first, second, ...others] = await Promise.all(reads);
  expect([first, second]).toEqual(['changes', 'changes']);
  expect(new Set(others)).toEqual(new Set(['StoreUnavailable: others read the log, and there was no turn in time']));
});

test('REV4 a read that began in another epoch is not shared with those of this one', async () => {
  const before = read(7);
  state.head = { ...state.head, epoch: 'e2' };
  log.author = 'e2';
  const after = read(7, 'e2');
  await turns();
  for (const { answer } of log.asked) answer();
  expect(await before).toEqual({ kind: 'startOver', reason: 'epoch' });
  expect(await after).toMatchObject({ kind: 'changes', entries: [{ revision: 8, author: 'e2' }] });
});

import { expect, test } from '@jest/globals';
import type { ClientFrame } from '../../src/protocol/frames.ts';
import { callerOf } from '../../src/sdk/caller.ts';
import type { LinkFrame } from '../../src/sdk/connection/link.ts';
import { Subscriptions } from '../../src/sdk/watch/subscriptions.ts';
import { FakeTime } from './fake-time.ts';

const LINKED = { epoch: 'e', caller: callerOf(undefined, undefined), digests: true };
const NOTHING = '0'.repeat(16);

function open() {
  const time = new FakeTime();
  const sent: ClientFrame[] = [];
  const errors: string[] = [];
  const subscriptions = new Subscriptions({
    time,
    clock: () => 0,
    random: () => 0.999,
    server: 's',
    keep: undefined,
    caller: () => Promise.resolve(LINKED.caller),
    send: (frame) => void sent.push(frame),
    onChange: () => {},
    onError: ({ code, message }) => void errors.push(`${code}: ${message}`),
    onMismatch: () => {},
    onReset: () => {},
    onFault: (error) => {
      throw error;
    },
    trouble: () => undefined,
  });
  const take = (...frames: readonly LinkFrame[]): void => {
    for (const frame of frames) subscriptions.take(frame);
  };
  return { time, sent, errors, subscriptions, take };
}

const anew: readonly LinkFrame[] = [
  { type: 'snapshot', topic: 'region', revision: 1, items: [], more: false },
  { type: 'synced', topic: 'region', revision: 1, digest: NOTHING },
];
const bookmark = (digest: string): LinkFrame => ({ type: 'bookmark', revision: 2, digests: { region: digest } });

test('PUSH8 a copy that is right when it comes and wrong at each bookmark is not loaded without a pause and an error', async () => {
  const { time, sent, errors, subscriptions, take } = open();
  const watch = subscriptions.watch({ kind: 'region' });
  subscriptions.linked(LINKED);
  take({ type: 'subscribed', id: 'w1', topic: 'region' }, ...anew);
  const resyncs = () => sent.filter(({ type }) => type === 'resync').length;
  const disagree = (): void =>
    take(bookmark('1'.repeat(16)), { type: 'reset', topic: 'region', epoch: 'e', reason: 'resync' });
  for (let i = 0; i < 2; i++) {
    disagree();
    take(...anew);
  }
  expect([resyncs(), errors]).toEqual([2, []]);
  disagree();
  expect([resyncs(), errors.length, watch.state]).toEqual([2, 1, 'stale']);
  await time.pass(2000);
  expect(resyncs()).toBe(3);
  // A bookmark that agrees ends the row.
  take(...anew, bookmark(NOTHING));
  disagree();
  expect([resyncs(), errors.length]).toEqual([4, 1]);
});

test('a selection that is longer than a frame may be ends its own watch, and no other', async () => {
  const { sent, errors, subscriptions, take } = open();
  const other = subscriptions.watch({ kind: 'region' });
  const services = Array.from({ length: 4000 }, (_, i) => `service-number-${i}.example.com`);
  const long = subscriptions.watch({ kind: 'instance', services });
  const ready = expect(long.ready()).rejects.toMatchObject({ code: 'refused' });
  subscriptions.linked(LINKED);
  await ready;
  const later = subscriptions.watch({ kind: 'version', services });
  expect([long.state, later.state, errors.length, subscriptions.size]).toEqual(['closed', 'closed', 2, 1]);
  expect(errors[0]?.length).toBeLessThan(200);
  take({ type: 'subscribed', id: 'w1', topic: 'region' }, ...anew);
  expect([other.state, sent.map(({ type }) => type)]).toEqual(['live', ['subscribe']]);
});

import { expect, test } from '@jest/globals';
import type { TokenSource } from '../../src/sdk/auth.ts';
import { Connection } from '../../src/sdk/connection/connection.ts';
import type { Carrier, LinkEvents } from '../../src/sdk/connection/link.ts';
import { FakeTime } from './fake-time.ts';

const RESUME_WITHIN_MS = 60_000;

/** A connection over links that welcome at once, and whose copies are current at once, as a client has them. */
function open(tokens: TokenSource) {
  const time = new FakeTime();
  const opened: { readonly at: number; readonly token: string | undefined }[] = [];
  let last: LinkEvents | undefined;
  const carrier: Carrier = {
    name: 'websocket',
    open: ({ token }, events) => {
      opened.push({ at: time.now(), token });
      last = events;
      time.after(1, () =>
        events.onFrame({
          type: 'welcome',
          protocol: 1,
          epoch: 'e',
          revision: 1,
          heartbeat: 10_000_000,
          resumeWithin: RESUME_WITHIN_MS,
        }),
      );
      return { send: () => {}, close: () => {} };
    },
  };
  const errors: string[] = [];
  const connection: Connection = new Connection({
    settings: {
      urls: ['http://a'],
      carriers: ['websocket'],
      backoff: { baseMs: 200, maxMs: 5000 },
      openTimeoutMs: 9000,
      renewable: true,
      spoken: [1],
    },
    carriers: [carrier],
    tokens,
    time,
    random: () => 0.5,
    onLinked: () => connection.take({ type: 'copies', copies: 'current' }),
    onUnlinked: () => connection.take({ type: 'copies', copies: 'held' }),
    onFrame: () => {},
    onPhase: () => {},
    onError: ({ code }) => void errors.push(code),
  });
  const drop = (): void => last?.onEnd({ type: 'closed', code: 1006, reason: '' });
  return { time, opened, errors, connection, drop };
}

test('PUSH5 each break after a long time comes back within what the welcome said, not after the failures of a whole life', async () => {
  const none: TokenSource = { renewable: true, get: () => Promise.resolve(undefined) };
  const { time, opened, connection, drop } = open(none);
  connection.take({ type: 'wanted' });
  const pauses: number[] = [];
  for (let i = 0; i < 5; i++) {
    await time.pass(3_600_000);
    expect(connection.phase).toBe('live');
    const at = time.now();
    drop();
    await time.pass(RESUME_WITHIN_MS);
    pauses.push((opened.at(-1)?.at ?? NaN) - at);
  }
  expect(pauses).toEqual(Array<number>(5).fill(RESUME_WITHIN_MS / 2));
});

test('a token that never comes is asked for again, and what comes too late is nobody’s', async () => {
  let asked = 0;
  let late: ((token: string) => void) | undefined;
  const get = (): Promise<string> =>
    (asked += 1) === 1 ? new Promise((resolve) => (late = resolve)) : Promise.resolve('second');
  const { time, opened, errors, connection } = open({ renewable: true, get });
  connection.take({ type: 'wanted' });
  await time.pass(9000);
  expect([connection.phase, errors]).toEqual(['backing-off', ['unauthorized']]);
  late?.('first');
  await time.pass(1000);
  expect([connection.phase, opened.map(({ token }) => token)]).toEqual(['live', ['second']]);
});

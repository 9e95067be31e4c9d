import { describe, expect, test } from '@jest/globals';
import { afterBreak, afterClose, backoffMs, silence } from '../../src/cli/watch-retry.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';

describe('back-off', () => {
  const bounds = { baseMs: 100, maxMs: 1000 };

  test('full jitter: anything from nothing to a bound that doubles', () => {
    expect([0, 1, 2, 3, 4, 50].map((failures) => backoffMs(failures, 1, bounds))).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ]);
    expect(backoffMs(5, 0, bounds)).toBe(0);
    expect(backoffMs(1, 0.25, bounds)).toBe(50);
  });
});

describe('close codes', () => {
  test.each([CLOSE.draining, CLOSE.full])('%i: the server says when to return', (code) => {
    expect(afterClose(code, '{"retryAfterMs":1234}', { failures: 3, random: 0.5 })).toMatchObject({
      do: 'retry',
      afterMs: 1234,
    });
  });

  test.each([
    [CLOSE.tooSlow, '{"epoch":"e","revision":4}'],
    [CLOSE.silent, ''],
    [1006, ''],
    [1001, 'going away'],
    [CLOSE.draining, '{"retryAfterMs":"soon"}'],
    [CLOSE.draining, '{"retryAfterMs":-5}'],
    [CLOSE.draining, 'not JSON'],
  ])('%i %j: after a back-off', (code, reason) => {
    const attempt = { failures: 0, random: 1, backoff: { baseMs: 77, maxMs: 1000 } };
    expect(afterClose(code, reason, attempt)).toMatchObject({ do: 'retry', afterMs: 77 });
  });

  test('what broke without a word is returned to within the time that the server has said, once', () => {
    const attempt = { failures: 0, random: 0.5, resumeWithin: 1000, backoff: { baseMs: 10, maxMs: 40 } };
    expect(afterBreak(attempt)).toBe(500);
    expect(afterBreak({ ...attempt, failures: 1 })).toBe(10);
    expect(afterBreak({ ...attempt, resumeWithin: undefined })).toBe(5);
    expect(afterBreak({ ...attempt, random: 1, resumeWithin: 1e12 })).toBe(300_000);
    expect(afterClose(1006, '', attempt)).toMatchObject({ do: 'retry', afterMs: 500 });
    // What the server says of its own accord concerns this client alone.
    expect(afterClose(CLOSE.tooSlow, '', attempt)).toMatchObject({ do: 'retry', afterMs: 5 });
    expect(afterClose(1012, '{"retryAfterMs":7}', attempt)).toMatchObject({ do: 'retry', afterMs: 7 });
  });

  test('a server is not believed without bound', () => {
    expect(afterClose(CLOSE.full, '{"retryAfterMs":1e12}', { failures: 0, random: 1 })).toMatchObject({
      afterMs: 300_000,
    });
  });

  test('from 4500 on: not again, for the reason given', () => {
    expect(afterClose(CLOSE.protocolError, 'too many bad frames', { failures: 0, random: 1 })).toEqual({
      do: 'stop',
      why: 'too many bad frames',
    });
    expect(afterClose(4999, '', { failures: 0, random: 1 })).toEqual({
      do: 'stop',
      why: 'the server closed the connection with 4999',
    });
  });
});

test('silence: asked after one and a half heartbeats, dead after three', () => {
  expect([0, 1499, 1500, 2999, 3000].map((ms) => silence(ms, 1000))).toEqual(['fine', 'fine', 'ask', 'ask', 'dead']);
});

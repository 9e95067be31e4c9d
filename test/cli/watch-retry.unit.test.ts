import { describe, expect, test } from '@jest/globals';
import { afterClose, backoffMs, silence } from '../../src/cli/watch-retry.ts';
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
    expect(afterClose(code, '{"retryAfterMs":1234}', 3, 0.5)).toMatchObject({ do: 'retry', afterMs: 1234 });
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
    expect(afterClose(code, reason, 0, 1, { baseMs: 77, maxMs: 1000 })).toMatchObject({ do: 'retry', afterMs: 77 });
  });

  test('a server is not believed without bound', () => {
    expect(afterClose(CLOSE.full, '{"retryAfterMs":1e12}', 0, 1)).toMatchObject({ afterMs: 300_000 });
  });

  test('from 4500 on: not again, for the reason given', () => {
    expect(afterClose(CLOSE.protocolError, 'too many bad frames', 0, 1)).toEqual({
      do: 'stop',
      why: 'too many bad frames',
    });
    expect(afterClose(4999, '', 0, 1)).toEqual({ do: 'stop', why: 'the server closed the connection with 4999' });
  });
});

test('silence: asked after one and a half heartbeats, dead after three', () => {
  expect([0, 1499, 1500, 2999, 3000].map((ms) => silence(ms, 1000))).toEqual(['fine', 'fine', 'ask', 'ask', 'dead']);
});

import { expect, test } from '@jest/globals';
import fc from '../../support/properties.ts';
import { RetryBudget } from '../../../src/sdk/calling/budget.ts';
import { Breaker, type Admission } from '../../../src/sdk/calling/breaker.ts';
import { speaksH2c } from '../../../src/sdk/calling/h2c.ts';
import { isBlamed, isFailure, outcomeOf } from '../../../src/sdk/calling/outcome.ts';
import { checkPath } from '../../../src/sdk/calling/path.ts';
import { isDue, lifetimeOf } from '../../../src/sdk/calling/recycle.ts';
import { mayRepeat, pauseBefore, retryAfterMs, type Failure } from '../../../src/sdk/calling/retry.ts';

const unsent: Failure = { type: 'unsent' };
const reset: Failure = { type: 'reset' };
const answered = (status: number, after?: number): Failure => ({ type: 'answered', status, retryAfterMs: after });
const request = (
  method: string,
  about: { idempotent?: boolean; hasIdempotencyKey?: boolean; bodyIsWhole?: boolean } = {},
) => ({
  method,
  idempotent: about.idempotent,
  hasIdempotencyKey: about.hasIdempotencyKey ?? false,
  bodyIsWhole: about.bodyIsWhole ?? true,
});

test('what was never sent may be sent again, whatever it is; what may have arrived only where that does no harm', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']) {
    expect([unsent, reset, answered(503)].map((each) => mayRepeat(request(method), each))).toEqual([true, true, true]);
  }
  for (const method of ['POST', 'PATCH', 'CONNECT']) {
    expect([unsent, reset, answered(503)].map((each) => mayRepeat(request(method), each))).toEqual([
      true,
      false,
      false,
    ]);
  }
  expect(mayRepeat(request('POST', { hasIdempotencyKey: true }), reset)).toBe(true);
  expect(mayRepeat(request('POST', { idempotent: true }), reset)).toBe(true);
  expect(mayRepeat(request('GET', { idempotent: false }), reset)).toBe(false);
  expect(mayRepeat(request('POST', { idempotent: false, hasIdempotencyKey: true }), reset)).toBe(false);
  expect(mayRepeat(request('PUT', { bodyIsWhole: false }), unsent)).toBe(false);
});

test('502, 503 and 504 are asked again elsewhere, other statuses are answers', () => {
  const again = [200, 404, 408, 429, 500, 501, 502, 503, 504, 505].filter((status) =>
    mayRepeat(request('GET'), answered(status)),
  );
  expect(again).toEqual([502, 503, 504]);
});

test('a pause is jittered and bounded, and Retry-After binds only who asks the same instance', () => {
  expect(pauseBefore(1, reset, true, () => 0)).toBe(0);
  expect(pauseBefore(1, reset, true, () => 1)).toBe(25);
  expect(pauseBefore(3, reset, true, () => 1)).toBe(100);
  expect(pauseBefore(30, reset, true, () => 1)).toBe(250);
  expect(pauseBefore(1, answered(503, 2000), true, () => 0.5)).toBe(12.5);
  expect(pauseBefore(1, answered(503, 2000), false, () => 0.5)).toBe(2000);
  const now = Date.parse('2026-03-01T00:00:00Z');
  expect(retryAfterMs('3', now)).toBe(3000);
  expect(retryAfterMs('Sun, 01 Mar 2026 00:00:02 GMT', now)).toBe(2000);
  expect(retryAfterMs('Sat, 28 Feb 2026 00:00:02 GMT', now)).toBe(0);
  expect([retryAfterMs('soon', now), retryAfterMs(undefined, now)]).toEqual([undefined, undefined]);
});

test('what counts against an instance', () => {
  const failures = [200, 301, 400, 404, 429, 499, 500, 501, 502, 503, 504, 505, 507].filter(isFailure);
  expect(failures).toEqual([500, 502, 503, 504, 507]);
  expect(outcomeOf({ type: 'answered', status: 404 })).toBe('ok');
  expect(outcomeOf({ type: 'answered', status: 500 })).toBe('failed');
  expect(outcomeOf({ type: 'broken' })).toBe('failed');
  expect(outcomeOf({ type: 'cancelled' })).toBe('cancelled');
  expect(isBlamed(Object.assign(new Error(), { code: 'ECONNREFUSED' }))).toBe(true);
  expect(isBlamed(new Error())).toBe(true);
  expect(isBlamed(Object.assign(new Error(), { code: 'UND_ERR_INVALID_ARG' }))).toBe(false);
  expect(isBlamed(Object.assign(new Error(), { code: 'overloaded' }))).toBe(false);
});

test('over any window, retries are at most the burst, a share of the calls, and some a second', () => {
  const step = fc.record({ calls: fc.nat(50), retries: fc.nat(50), ms: fc.nat(2000) });
  const options = fc.record({
    ratio: fc.double({ min: 0, max: 1, noNaN: true }),
    perSecond: fc.nat(20),
    burst: fc.nat(30),
  });
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 40 }), (figures, steps) => {
      let now = 1000;
      const budget = new RetryBudget(figures, now);
      const seen: { now: number; calls: number; retries: number }[] = [];
      for (const { calls, retries, ms } of steps) {
        now += ms;
        for (let n = 0; n < calls; n++) budget.deposit();
        let made = 0;
        for (let n = 0; n < retries; n++) if (budget.withdraw(now)) made += 1;
        seen.push({ now, calls, retries: made });
      }
      for (let from = 0; from < seen.length; from++) {
        let [calls, made] = [0, 0];
        for (const at of seen.slice(from)) {
          calls += at.calls;
          made += at.retries;
          const seconds = (at.now - (seen[from]?.now ?? 0)) / 1000;
          // The calls and the time of the window, and what was saved up before it.
          const most = figures.burst + figures.ratio * calls + figures.perSecond * seconds;
          if (made > most + 1e-6) return false;
        }
      }
      return true;
    }),
  );
});

test('a budget allows a fifth of the calls for as long as they go on', () => {
  const budget = new RetryBudget({ perSecond: 0, burst: 10 }, 0);
  let made = 0;
  for (let n = 0; n < 10_000; n++) {
    budget.deposit();
    if (budget.withdraw(n)) made += 1;
  }
  expect(made).toBeGreaterThanOrEqual(2000);
  expect(made).toBeLessThanOrEqual(2010);
});

test('a connection is due after its requests or its time, each with a jitter downwards', () => {
  const limits = { maxRequests: 100, maxAgeMs: 1000, jitter: 0.2 };
  expect(lifetimeOf(limits, 5, () => 0)).toEqual({ requests: 100, until: 1005 });
  expect(lifetimeOf(limits, 5, () => 1)).toEqual({ requests: 80, until: 805 });
  expect(lifetimeOf({ ...limits, maxRequests: 1, jitter: 1 }, 0, () => 1).requests).toBe(1);
  const lifetime = { requests: 80, until: 805 };
  expect([isDue(lifetime, 79, 804), isDue(lifetime, 80, 0), isDue(lifetime, 0, 805)]).toEqual([false, true, true]);
});

test('a breaker opens past its share of failures, tries one call, and closes or opens with it', () => {
  const breaker = new Breaker({ windowMs: 1000, minCalls: 4, failureRatio: 0.5, openMs: 200 });
  let now = 10_000;
  const call = (outcome: 'ok' | 'failed' | 'cancelled'): string => {
    const admission = breaker.admit(now);
    if (admission.type !== 'refused') breaker.settle(admission, outcome, now);
    return admission.type;
  };
  for (const outcome of ['failed', 'failed', 'cancelled', 'ok', 'ok'] as const) call(outcome);
  expect(breaker.state).toBe('closed');
  const late = breaker.admit(now);
  call('failed');
  expect(breaker.state).toBe('open');
  now += 150;
  expect(breaker.admit(now)).toEqual({ type: 'refused', retryAfterMs: 50 });
  now += 50;
  const probe = breaker.admit(now);
  expect(probe.type).toBe('probe');
  expect(breaker.admit(now).type).toBe('refused');
  breaker.settle(late, 'ok', now);
  expect(breaker.state).toBe('half-open');
  breaker.settle(probe, 'cancelled', now);
  expect(call('failed')).toBe('probe');
  expect(breaker.admit(now)).toEqual({ type: 'refused', retryAfterMs: 200 });
  now += 200;
  expect(call('ok')).toBe('probe');
  expect([breaker.state, call('failed'), breaker.state]).toEqual(['closed', 'admitted', 'closed']);
});

test.each([
  ['a short pause', 200, 10_000],
  ['a pause that is longer than a probe may take', 60_000, 60_000],
])('after %s, a probe that does not end keeps nobody away for good', (...row) => {
  const [, openMs, probeMs] = row;
  const breaker = new Breaker({ minCalls: 1, openMs });
  let now = 10_000;
  breaker.settle({ type: 'admitted' }, 'failed', now);
  now += openMs;
  const long = breaker.admit(now);
  expect(long.type).toBe('probe');
  now += probeMs - 1;
  expect(breaker.admit(now)).toEqual({ type: 'refused', retryAfterMs: 1 });
  now += 1;
  const second = breaker.admit(now);
  expect(second.type).toBe('probe');
  expect(breaker.admit(now)).toEqual({ type: 'refused', retryAfterMs: openMs });
  // It is from before the one that is under way.
  for (const outcome of ['failed', 'cancelled'] as const) breaker.settle(long, outcome, now);
  expect([breaker.state, breaker.admit(now).type]).toEqual(['half-open', 'refused']);
  breaker.settle(second, 'ok', now);
  breaker.settle(long, 'failed', now);
  expect([breaker.state, breaker.admit(now).type]).toEqual(['closed', 'admitted']);
});

test('a service whose calls are all long is called again once one of them is answered', () => {
  const breaker = new Breaker({ minCalls: 1, openMs: 5000 });
  breaker.settle({ type: 'admitted' }, 'failed', 0);
  const probes = [5000, 15_000, 25_000].map((now) => breaker.admit(now));
  expect(probes.map(({ type }) => type)).toEqual(['probe', 'probe', 'probe']);
  const [first, second, third] = probes as [Admission, Admission, Admission];
  breaker.settle(first, 'ok', 30_000);
  expect(breaker.state).toBe('closed');
  // Not while it is open again: nobody has asked since.
  breaker.settle({ type: 'admitted' }, 'failed', 30_000);
  breaker.settle(second, 'ok', 30_000);
  breaker.settle(third, 'failed', 30_000);
  expect([breaker.state, breaker.admit(34_999).type, breaker.admit(35_000).type]).toEqual(['open', 'refused', 'probe']);
});

test('a breaker forgets what has left its window', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ ms: fc.nat(400), failed: fc.boolean() }), { maxLength: 200 }), (calls) => {
      const breaker = new Breaker({ windowMs: 1000, minCalls: 5, failureRatio: 0.5 });
      let now = 1_000_000;
      const seen: { bucket: number; failed: boolean }[] = [];
      for (const { ms, failed } of calls) {
        now += ms;
        breaker.settle({ type: 'admitted' }, failed ? 'failed' : 'ok', now);
        seen.push({ bucket: Math.floor(now / 100), failed });
        const window = seen.filter(({ bucket }) => bucket > Math.floor(now / 100) - 10);
        const bad = window.filter((each) => each.failed).length;
        const opens = failed && window.length >= 5 && bad > window.length / 2;
        if ((breaker.state === 'open') !== opens) return false;
        if (opens) return true;
      }
      return true;
    }),
  );
});

test('a path cannot name another host', () => {
  for (const path of ['/', '/a//b', '/a?q=http://evil', '/@evil', '/:80']) expect(checkPath(path)).toBe(path);
  for (const path of [
    '',
    'a',
    '//evil',
    '/\\evil',
    '\\\\evil',
    'http://evil/',
    '@evil',
    ':81/',
    '/\t/evil',
    '/a\r\nx: y',
  ]) {
    expect(() => checkPath(path)).toThrow(expect.objectContaining({ code: 'invalid-options' }));
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        return new URL(`http://10.0.0.1:8080${checkPath(`/${text}`)}`).host === '10.0.0.1:8080';
      } catch (error) {
        return (error as { code?: string }).code === 'invalid-options';
      }
    }),
  );
});

test('HTTP/2 without asking is for instances that say so, or where the caller knows', () => {
  const says = { metadata: { http2: 'h2c' } };
  expect([undefined, 'auto', 'h2c', 'never'].map((http2) => speaksH2c(says, http2 as 'auto'))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect([undefined, 'h2c'].map((http2) => speaksH2c({ metadata: {} }, http2 as 'auto'))).toEqual([false, true]);
});

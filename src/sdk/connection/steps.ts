import { SignalboxError } from '../errors.ts';
import { afterBreak, backoffMs } from './backoff.ts';
import { afterBlocked, afterMiss, tryBetter, type Choice } from './carrier-choice.ts';
import type { LinkEnd } from './link.ts';
import type { Copies, Effect, Moment, Next, Past, Settings, State, Timer, Way } from './state.ts';
import { isOwnCode, verdictOf, type Verdict } from './verdict.ts';

/** What the rows of the table are made of: ways from one state to the next that several of them take. */

const disarm = (...timers: Timer[]): Effect[] => timers.map((timer) => ({ do: 'disarm', timer }));

export const urlOf = ({ url }: Past, { urls }: Settings): string => urls[url % urls.length] ?? urls[0];

export const connecting = (copies: Copies, way: Way, past: Past): State => ({
  phase: copies === 'missing' ? 'loading' : 'stale',
  way,
  past,
});

/** Of what a link has left behind when it is away. */
export const withoutLink = (copies: Copies): Copies => (copies === 'current' ? 'held' : copies);

/** A connection begins with a token, even if that is none. */
export function ask(copies: Copies, past: Past, { now, settings }: Moment, anew = false): Next {
  return {
    state: connecting(copies, { step: 'asking' }, tryBetter(past, now)),
    effects: [
      { do: 'ask-token', anew },
      { do: 'arm', timer: 'open', afterMs: settings.openTimeoutMs },
    ],
  };
}

export function open(copies: Copies, before: Past, token: string | undefined, { settings }: Moment): Next {
  const link = before.links + 1;
  const past = { ...before, links: link };
  const carrier = settings.carriers[past.carrier] ?? settings.carriers[0];
  return {
    state: connecting(copies, { step: 'opening', link }, past),
    effects: [
      { do: 'open', link, url: urlOf(past, settings), carrier, token },
      { do: 'arm', timer: 'open', afterMs: settings.openTimeoutMs },
    ],
  };
}

export const stopped = (error: SignalboxError | undefined, ...before: Effect[]): Next => ({
  state: { phase: 'stopped', error },
  effects: [...before, ...disarm('open', 'pulse', 'better', 'retry')],
});

export function backOff(
  copies: Copies,
  past: Past,
  error: SignalboxError,
  { afterMs, now }: { readonly afterMs: number; readonly now: number },
): Next {
  return {
    state: { phase: 'backing-off', copies, past: { ...past, failures: past.failures + 1, retryAt: now + afterMs } },
    effects: [
      { do: 'report', error },
      { do: 'arm', timer: 'retry', afterMs },
    ],
  };
}

/** Who wants something anew right after a failure waits for as long as whoever wanted it before. */
export function want(copies: Copies, past: Past, moment: Moment): Next {
  const afterMs = (past.retryAt ?? moment.now) - moment.now;
  if (afterMs <= 0) return ask(copies, past, moment);
  return { state: { phase: 'backing-off', copies, past }, effects: [{ do: 'arm', timer: 'retry', afterMs }] };
}

/** Nobody says that there is no token, nor brings one. */
export function tokenLate(copies: Copies, past: Past, moment: Moment): Next {
  const seconds = moment.settings.openTimeoutMs / 1000;
  const error = new SignalboxError('unauthorized', `The token for Signalbox did not come within ${seconds} s.`);
  return backOff(copies, past, error, { afterMs: jitter(past, moment), now: moment.now });
}

export const jitter = ({ failures }: Past, { random, settings }: Moment): number =>
  backoffMs(failures, random, settings.backoff);

/** What a link leaves behind. */
export interface Left {
  readonly copies: Copies;
  readonly past: Past;
  /** It had brought a welcome. */
  readonly welcomed: boolean;
}

/** After the end of a link, or the failure to open one. */
export function afterEnd(left: Left, end: LinkEnd, moment: Moment): Next {
  const next = decide(left, end, verdictOf(end, urlOf(left.past, moment.settings)), moment);
  return { ...next, effects: [...disarm('open', 'pulse', 'better'), ...next.effects] };
}

function decide(left: Left, end: LinkEnd, verdict: Verdict, moment: Moment): Next {
  const { copies, past, welcomed } = left;
  const { settings, now } = moment;
  const pause = { afterMs: jitter(past, moment), now };
  const elsewhere = { ...past, url: (past.url + 1) % settings.urls.length };
  switch (verdict.do) {
    case 'stop':
      return stopped(verdict.error);
    case 'denied': {
      const isForGood = !past.loaded && !(verdict.mayChange && settings.renewable);
      return isForGood ? stopped(verdict.error) : backOff(copies, elsewhere, verdict.error, pause);
    }
    case 'other-token': {
      // Where there are others, one that is not Signalbox has not spoken for them.
      const isForAll = verdict.isOwn || settings.urls.length === 1;
      if (!settings.renewable && !past.loaded && isForAll) return stopped(verdict.error);
      const again = { ...past, unauthorized: past.unauthorized + 1 };
      const isFirst = settings.renewable && past.unauthorized === 0;
      // Who was taken at first and then was not may be in the same place a moment later.
      if (isFirst && !welcomed) return ask(copies, again, moment, true);
      const next = welcomed ? again : { ...again, url: elsewhere.url };
      return backOff(copies, next, verdict.error, pause);
    }
    case 'other-carrier': {
      const { past: blocked, atOnce } = afterBlocked(past, settings);
      // No carrier gets through to this one: another one may have nothing in front of it.
      const next = atOnce ? blocked : { ...blocked, url: elsewhere.url };
      return carryOn(copies, { past: next, atOnce }, verdict.error, moment);
    }
    case 'again': {
      if (welcomed || !mayBeCarrier(end)) {
        const afterMs = pauseOf(left, end, verdict, moment);
        return backOff(copies, elsewhere, verdict.error, { afterMs, now });
      }
      return carryOn(copies, afterMiss(elsewhere, settings), verdict.error, moment, verdict.afterMs);
    }
  }
}

/** Whether another carrier may fare better than one that has not brought a welcome. */
function mayBeCarrier(end: LinkEnd): boolean {
  switch (end.type) {
    case 'closed':
      return !isOwnCode(end.code);
    case 'refused':
      return false;
    case 'unreachable':
      return end.reached !== false;
  }
}

function carryOn(
  copies: Copies,
  { past, atOnce }: Choice,
  error: SignalboxError,
  moment: Moment,
  afterMs = jitter(past, moment),
): Next {
  return atOnce ? ask(copies, past, moment) : backOff(copies, past, error, { afterMs, now: moment.now });
}

function pauseOf(
  { past, welcomed }: Left,
  { type }: LinkEnd,
  { afterMs, broke }: Extract<Verdict, { do: 'again' }>,
  moment: Moment,
): number {
  const own = jitter(past, moment);
  // What an HTTP answer asks for is the same for everybody; a close reason is drawn for each.
  if (afterMs !== undefined) return type === 'refused' ? afterMs + own : afterMs;
  if (!welcomed || broke !== true) return own;
  const { random, settings } = moment;
  const { failures, resumeWithin } = past;
  return afterBreak({ failures, random, resumeWithin, backoff: settings.backoff });
}

import type { SignalboxError } from '../errors.ts';
import { afterBreak, backoffMs } from './backoff.ts';
import { afterBlocked, afterMiss, tryBetter, type Choice } from './carrier-choice.ts';
import type { LinkEnd } from './link.ts';
import type { Copies, Effect, Moment, Next, Past, Settings, State, Timer, Way } from './state.ts';
import { verdictOf, type Verdict } from './verdict.ts';

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
export function ask(copies: Copies, past: Past, { now }: Moment, anew = false): Next {
  return {
    state: connecting(copies, { step: 'asking' }, tryBetter(past, now)),
    effects: [{ do: 'ask-token', anew }],
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

export function backOff(copies: Copies, past: Past, error: SignalboxError, afterMs: number): Next {
  return {
    state: { phase: 'backing-off', copies, past: { ...past, failures: past.failures + 1 } },
    effects: [
      { do: 'report', error },
      { do: 'arm', timer: 'retry', afterMs },
    ],
  };
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
  const { settings } = moment;
  const elsewhere = { ...past, url: (past.url + 1) % settings.urls.length };
  switch (verdict.do) {
    case 'stop':
      return stopped(verdict.error);
    case 'denied': {
      const isForGood = !past.loaded && !(verdict.mayChange && settings.renewable);
      return isForGood ? stopped(verdict.error) : backOff(copies, elsewhere, verdict.error, jitter(past, moment));
    }
    case 'other-token': {
      if (!settings.renewable && !past.loaded) return stopped(verdict.error);
      const again = { ...past, unauthorized: past.unauthorized + 1 };
      const isFirst = settings.renewable && past.unauthorized === 0;
      // Who was taken at first and then was not may be in the same place a moment later.
      if (isFirst && !welcomed) return ask(copies, again, moment, true);
      return backOff(copies, again, verdict.error, jitter(past, moment));
    }
    case 'other-carrier':
      return carryOn(copies, afterBlocked(past, settings), verdict.error, moment);
    case 'again': {
      if (welcomed || (end.type === 'unreachable' && end.reached === false) || end.type === 'refused') {
        return backOff(copies, elsewhere, verdict.error, pauseOf(left, end, verdict, moment));
      }
      return carryOn(copies, afterMiss(elsewhere, settings), verdict.error, moment, verdict.afterMs);
    }
  }
}

function carryOn(
  copies: Copies,
  { past, atOnce }: Choice,
  error: SignalboxError,
  moment: Moment,
  afterMs = jitter(past, moment),
): Next {
  return atOnce ? ask(copies, past, moment) : backOff(copies, past, error, afterMs);
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

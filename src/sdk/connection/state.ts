import type { SignalboxError } from '../errors.ts';
import type { Backoff } from './backoff.ts';
import type { Carrier, LinkEnd } from './link.ts';
import type { Pulse } from './pulse.ts';

/** What the watches hold, all together: some have no complete snapshot; all have one; all are current over this link. */
export type Copies = 'missing' | 'held' | 'current';

/** What was learned on the way, and goes on with every state. */
export interface Past {
  /** In a row; forgotten once a link has been live for a while. */
  readonly failures: number;
  /** The place of the address that is next, in the client's own order. */
  readonly url: number;
  /** The place of the carrier that is next. */
  readonly carrier: number;
  /** The carrier that brought the last welcome. */
  readonly works: number | undefined;
  /** Openings in a row that brought no welcome although somebody was there. */
  readonly misses: number;
  /** Tokens in a row that were not taken. */
  readonly unauthorized: number;
  /** When a better carrier than the one that works is tried again, in monotonic milliseconds. */
  readonly betterAt: number | undefined;
  /** So often it was tried again in vain. */
  readonly trials: number;
  /** Before that, in monotonic milliseconds, nothing is tried again, whoever wants it; undefined where nothing has failed. */
  readonly retryAt: number | undefined;
  /** Everything was held and current once. */
  readonly loaded: boolean;
  /** As the last welcome has it. */
  readonly resumeWithin: number | undefined;
  /** The number of the last link. */
  readonly links: number;
}

/** How far a connection is that is being made. */
export type Way =
  /** The token is asked for; that may take as long as an opening. */
  | { readonly step: 'asking' }
  /** Until the welcome. */
  | { readonly step: 'opening'; readonly link: number }
  /** Subscriptions are catching up. */
  | { readonly step: 'talking'; readonly link: number; readonly pulse: Pulse };

export type State =
  | { readonly phase: 'cold'; readonly copies: Copies; readonly past: Past }
  | { readonly phase: 'loading'; readonly way: Way; readonly past: Past }
  | { readonly phase: 'stale'; readonly way: Way; readonly past: Past }
  | {
      readonly phase: 'live';
      readonly link: number;
      readonly pulse: Pulse;
      /** Monotonic milliseconds. */
      readonly since: number;
      readonly past: Past;
    }
  | { readonly phase: 'backing-off'; readonly copies: Copies; readonly past: Past }
  | { readonly phase: 'stopped'; readonly error: SignalboxError | undefined };

export type Phase = State['phase'];

export type Timer = 'open' | 'pulse' | 'better' | 'retry';

export type Event =
  /** There is something to do: a watch, a registration. */
  | { readonly type: 'wanted' }
  | { readonly type: 'unwanted' }
  | { readonly type: 'token'; readonly token: string | undefined }
  /** `final`: the one who was asked will not have one later either. */
  | { readonly type: 'no-token'; readonly error: SignalboxError; readonly final: boolean }
  | {
      readonly type: 'welcomed';
      readonly link: number;
      readonly protocol: number;
      readonly heartbeatMs: number;
      readonly resumeWithin: number | undefined;
    }
  | { readonly type: 'heard'; readonly link: number }
  | { readonly type: 'copies'; readonly copies: Copies }
  | { readonly type: 'ended'; readonly link: number; readonly end: LinkEnd }
  | { readonly type: 'elapsed'; readonly timer: Timer }
  | { readonly type: 'stop' };

export type Effect =
  /** `anew`: the last one was not taken. */
  | { readonly do: 'ask-token'; readonly anew: boolean }
  | {
      readonly do: 'open';
      readonly link: number;
      readonly url: string;
      readonly carrier: Carrier['name'];
      readonly token: string | undefined;
    }
  | { readonly do: 'close'; readonly link: number }
  | { readonly do: 'ping'; readonly link: number }
  /** In place of the one of the same name. */
  | { readonly do: 'arm'; readonly timer: Timer; readonly afterMs: number }
  | { readonly do: 'disarm'; readonly timer: Timer }
  /** Subscribe over this link. */
  | { readonly do: 'greet'; readonly link: number }
  | { readonly do: 'report'; readonly error: SignalboxError };

export interface Settings {
  /** In the client's own order. */
  readonly urls: readonly [string, ...string[]];
  readonly carriers: readonly [Carrier['name'], ...Carrier['name'][]];
  readonly backoff: Backoff;
  readonly openTimeoutMs: number;
  /** Another token may be had when one is not taken. */
  readonly renewable: boolean;
  /** The versions of the protocol that are spoken here. */
  readonly spoken: readonly number[];
}

/** What an event happens in. */
export interface Moment {
  readonly settings: Settings;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** From 0 up to 1. */
  readonly random: number;
}

export interface Next {
  readonly state: State;
  readonly effects: readonly Effect[];
}

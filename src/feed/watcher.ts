/**
 * Where one subscription of one socket stands. Pure: `nextStep` says what to do, `after*` what that makes of it; the
 * connection does it. `live` shares the bytes of its group; every other state is on the way there.
 *
 *   snapshot --chunks, then synced--> following --changes--> live
 *   following (resumed) --changes, then synced--> live
 *   looking --this node has reached the position--> following
 *   live --the socket's queue is over its bound--> following
 */
export type WatcherState =
  /** The parts of a snapshot taken at `revision` are being written. */
  | { readonly phase: 'snapshot'; readonly revision: number; readonly chunks: number; readonly next: number }
  /** Everything up to `sent` has been written. `synced`: the client has been told that it is complete once. */
  | { readonly phase: 'following'; readonly sent: number; readonly synced: boolean }
  /** Waits for the log; `sent` as above. */
  | { readonly phase: 'reading'; readonly sent: number; readonly synced: boolean }
  /** The client has everything up to `sent`, which this node has not: the log is being asked. */
  | { readonly phase: 'looking'; readonly sent: number }
  | { readonly phase: 'live' }
  | { readonly phase: 'closed' };

export type Step =
  | { readonly do: 'chunk'; readonly index: number }
  | { readonly do: 'syncedSnapshot' }
  | { readonly do: 'synced' }
  /** Write what the ring holds after `from`. */
  | { readonly do: 'changes'; readonly from: number }
  /** The ring has moved past: read the log after `from`. */
  | { readonly do: 'read'; readonly from: number }
  /** Nothing is missing: share the group's bytes from here on. */
  | { readonly do: 'join' }
  | { readonly do: 'wait' };

/** `flushed`: what live subscriptions have been sent. `ringFrom`: the ring tells everything after it. */
export interface FeedPosition {
  readonly flushed: number;
  readonly ringFrom: number;
}

export function nextStep(state: WatcherState, feed: FeedPosition): Step {
  switch (state.phase) {
    case 'snapshot':
      return state.next < state.chunks ? { do: 'chunk', index: state.next } : { do: 'syncedSnapshot' };
    case 'following':
      if (state.sent === feed.flushed) return state.synced ? { do: 'join' } : { do: 'synced' };
      return state.sent >= feed.ringFrom ? { do: 'changes', from: state.sent } : { do: 'read', from: state.sent };
    case 'reading':
    case 'looking':
    case 'live':
    case 'closed':
      return { do: 'wait' };
  }
}

/** The state after a step was carried out; `upTo` is the revision that a `changes` or `read` step has written up to. */
export function afterStep(state: WatcherState, step: Step, upTo: number): WatcherState {
  switch (step.do) {
    case 'chunk':
      return state.phase === 'snapshot' ? { ...state, next: state.next + 1 } : state;
    case 'syncedSnapshot':
      return state.phase === 'snapshot' ? { phase: 'following', sent: state.revision, synced: true } : state;
    case 'synced':
      return state.phase === 'following' ? { ...state, synced: true } : state;
    case 'changes':
      return state.phase === 'following' ? { ...state, sent: upTo } : state;
    case 'read':
      return state.phase === 'following' ? { phase: 'reading', sent: state.sent, synced: state.synced } : state;
    case 'join':
      return { phase: 'live' };
    case 'wait':
      return state;
  }
}

export const afterRead = (state: WatcherState, upTo: number): WatcherState =>
  state.phase === 'reading' ? { phase: 'following', sent: upTo, synced: state.synced } : state;

/** A live subscription whose socket did not take what was flushed after `sent`. */
export const fallBehind = (state: WatcherState, sent: number): WatcherState =>
  state.phase === 'live' ? { phase: 'following', sent, synced: true } : state;

/** What the client can resume from: everything up to there has been written. `undefined` before its first snapshot is whole. */
export function resumable(state: WatcherState, flushed: number): number | undefined {
  switch (state.phase) {
    case 'live':
      return flushed;
    case 'following':
    case 'reading':
    case 'looking':
      return state.sent;
    default:
      return undefined;
  }
}

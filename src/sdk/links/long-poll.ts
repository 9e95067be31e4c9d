import type { Carrier, LinkFrame } from '../connection/link.ts';
import { HttpLink, startOver } from './http-link.ts';
import { framesOf, type Changes } from './poll-frames.ts';
import { BEHIND_MS, changesAfter, readHead, readState } from './poll-requests.ts';
import { Refusal } from './refusal.ts';
import { pause, type HttpDeps, type Subscription, type Way, type Wire } from './wire.ts';

export interface LongPollOptions {
  /** Milliseconds that a poll waits at most; also the heartbeat that the link tells. Default: 10000. */
  readonly waitMs?: number;
}

const WAIT_MS = 10_000;
const PROTOCOL = 1;
/** Between two states that were read anew, so that a position that is never in the log is no storm. */
const BETWEEN_STATES_MS = 1000;

/** Frames out of long polls, one at a time for each subscription, with the state read first. They bring no digests. */
export function longPollCarrier(deps: HttpDeps, { waitMs = WAIT_MS }: LongPollOptions = {}): Carrier {
  return {
    name: 'long-poll',
    open: (address, events) => new HttpLink(wayOf(deps, waitMs), address, events, deps),
  };
}

function wayOf({ now }: Pick<HttpDeps, 'now'>, waitMs: number): Way {
  return {
    async follow(subscription, wire, signal) {
      let readAt = -Infinity;
      while (!signal.aborted) {
        if (subscription.position === undefined) {
          await pause(readAt + BETWEEN_STATES_MS - now(), signal);
          readAt = now();
          await load(subscription, wire, signal);
        } else {
          await catchUp(subscription, wire, signal);
        }
        while (subscription.position !== undefined && !signal.aborted) await ask(subscription, wire, signal, waitMs);
      }
    },
    async idle(wire, signal) {
      while (!signal.aborted) {
        const { epoch, revision } = await readHead(wire, signal);
        wire.welcome({ type: 'welcome', protocol: PROTOCOL, epoch, revision, heartbeat: waitMs });
        wire.heard();
        await pause(waitMs, signal);
      }
    },
  };
}

async function load(subscription: Subscription, wire: Wire, signal: AbortSignal): Promise<void> {
  const { position, items } = await readState(subscription, wire, signal);
  if (signal.aborted) return;
  const { topic } = subscription;
  const { epoch, revision } = position;
  const isOfThisHistory = subscription.isTold || epoch === wire.epoch;
  tellSubscribed(subscription, wire);
  if (!isOfThisHistory) startOver(subscription, wire, position, 'epoch');
  subscription.position = position;
  subscription.waitedMs = 0;
  wire.tell({ type: 'snapshot', topic, revision, items, more: false });
  wire.tell({ type: 'synced', topic, revision });
}

async function catchUp(subscription: Subscription, wire: Wire, signal: AbortSignal): Promise<void> {
  let answer: Changes | undefined;
  do {
    answer = await ask(subscription, wire, signal, 0);
  } while (answer !== undefined && answer.to < answer.head);
  if (answer !== undefined) wire.tell({ type: 'synced', topic: subscription.topic, revision: answer.to });
}

/** Asks for what follows the position, and tells it; undefined where the position is of no use, or nobody wants to know any more. */
async function ask(
  subscription: Subscription,
  wire: Wire,
  signal: AbortSignal,
  waitMs: number,
): Promise<Changes | undefined> {
  const { position, topic, query } = subscription;
  if (position === undefined) return undefined;
  try {
    const answer = await changesAfter(position, { query, waitMs }, wire, signal);
    if (signal.aborted) return undefined;
    tellSubscribed(subscription, wire);
    subscription.waitedMs = 0;
    subscription.position = { epoch: position.epoch, revision: answer.to };
    for (const frame of framesOf(topic, position.revision, answer)) wire.tell(frame);
    // A node that is behind others is not asked without a pause.
    if (answer.to <= position.revision && answer.to < answer.head) await pause(BEHIND_MS, signal);
    return answer;
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 410 || signal.aborted) throw error;
    tellSubscribed(subscription, wire);
    startOver(subscription, wire, error.problem?.head ?? position, error.problem?.reason ?? 'trimmed');
    return undefined;
  }
}

function tellSubscribed(subscription: Subscription, wire: Wire): void {
  if (subscription.isTold) return;
  subscription.isTold = true;
  const frame: LinkFrame = { type: 'subscribed', id: subscription.id, topic: subscription.topic };
  wire.tell(frame);
}

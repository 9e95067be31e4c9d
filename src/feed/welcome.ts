import { Frame } from './frame.ts';

const STEP_MS = 250;
const LONGEST_MS = 5000;

/**
 * Over how long those who lose this node without a word come back elsewhere: two thousand in a second. In steps, so that
 * the frame stays the same while sockets come and go.
 */
export const resumeWithinMs = (sockets: number): number =>
  Math.min(LONGEST_MS, Math.max(1, Math.ceil(sockets / 2 / STEP_MS)) * STEP_MS);

export interface WelcomeFacts {
  readonly protocol: number;
  readonly epoch: string;
  readonly revision: number;
  readonly heartbeat: number;
  /** That this node holds. */
  readonly sockets: number;
}

/** The first frame of every socket: the same bytes for as long as it says the same. */
export class Welcome {
  #frame = new Frame('');

  say({ sockets, ...facts }: WelcomeFacts): Frame {
    const text = JSON.stringify({ type: 'welcome', ...facts, resumeWithin: resumeWithinMs(sockets) });
    if (this.#frame.text !== text) this.#frame = new Frame(text);
    return this.#frame;
  }
}

import type { DeregisterFrame, ErrorFrame, RegisterFrame, RenewFrame, ServerFrame } from '../../protocol/frames.ts';
import { SignalboxError } from '../errors.ts';
import type { Time } from '../time.ts';
import type { Link, LinkFrame } from './link.ts';

type WithoutId<F> = F extends unknown ? Omit<F, 'id'> : never;
/** A frame of registration; its id is given here. */
export type RequestFrame = WithoutId<RegisterFrame | RenewFrame | DeregisterFrame>;
/** What answers it: the frame that says that it was done, or an error, which is an answer too. */
export type Reply = Extract<ServerFrame, { type: 'registered' | 'renewed' | 'deregistered' }> | ErrorFrame;

const TIMEOUT_MS = 10_000;

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: SignalboxError) => void;
  readonly cancel: () => void;
}

/** Requests over the link that is open, and their answers by id. */
export class Requests {
  readonly #time: Pick<Time, 'after'>;
  readonly #waiting = new Map<string, Waiting>();
  #link: Pick<Link, 'send'> | undefined;
  #sent = 0;

  constructor(time: Pick<Time, 'after'>) {
    this.#time = time;
  }

  /**
   * @throws SignalboxError `unreachable` where there is no link, or it ends before the answer: then it is not known whether it
   *   was done. `timeout` where no answer came in time.
   */
  send(frame: RequestFrame, { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<Reply> {
    const link = this.#link;
    if (link === undefined) {
      return Promise.reject(new SignalboxError('unreachable', 'There is no connection to Signalbox at present.'));
    }
    this.#sent += 1;
    const id = `r${this.#sent}`;
    return new Promise((resolve, reject) => {
      const cancel = this.#time.after(timeoutMs, () => {
        this.#waiting.delete(id);
        reject(new SignalboxError('timeout', `Signalbox did not answer within ${timeoutMs} ms.`));
      });
      this.#waiting.set(id, { resolve, reject, cancel });
      link.send({ ...frame, id });
    });
  }

  linked(link: Pick<Link, 'send'>): void {
    this.#link = link;
  }

  unlinked(): void {
    this.#link = undefined;
    for (const [id, { reject, cancel }] of this.#waiting) {
      this.#waiting.delete(id);
      cancel();
      reject(new SignalboxError('unreachable', 'The connection to Signalbox ended before the answer.'));
    }
  }

  /** Whether it was an answer. */
  take(frame: LinkFrame): boolean {
    if (!isReply(frame)) return false;
    const id = frame.id ?? '';
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return frame.type !== 'error';
    this.#waiting.delete(id);
    waiting.cancel();
    waiting.resolve(frame);
    return true;
  }
}

const isReply = (frame: LinkFrame): frame is Reply =>
  frame.type === 'registered' || frame.type === 'renewed' || frame.type === 'deregistered' || frame.type === 'error';

import type { ErrorFrame, ServerFrame } from '../../protocol/frames.ts';
import { realTime, type Time } from '../time.ts';
import type { Answer, Attempt, Desk, Registered } from './desk.ts';
import { messageOf } from './message-of.ts';
import { Turns } from './turns.ts';

/** What is asked over the socket, without the id that its answer is known by. */
export type AskFrame =
  | { readonly type: 'register'; readonly instance: Record<string, unknown> }
  | { readonly type: 'renew'; readonly instances: string[] }
  | { readonly type: 'deregister'; readonly instance: string };

/** The socket that is open, as far as registrations need it. */
export interface AskSocket {
  /** Resolves with the frame that answers it, be it an error. Rejects where no socket is open, when it ends, and after the time. */
  send(frame: AskFrame, options: { readonly timeoutMs: number }): Promise<ServerFrame>;
}

/** The server lets 64 requests of a socket wait for their answers. */
const AT_ONCE = 32;

/**
 * Registrations as frames over the socket. What it answers with `away` and no time to wait may do better by HTTP; a limit that holds
 * for the caller has one.
 */
export class SocketDesk implements Desk {
  readonly #socket: AskSocket;
  readonly #time: Time;
  readonly #turns = new Turns(AT_ONCE);

  constructor(socket: AskSocket, time: Time = realTime) {
    this.#socket = socket;
    this.#time = time;
  }

  async register(registration: object, attempt: Attempt): Promise<Answer<Registered>> {
    const frame = await this.#ask({ type: 'register', instance: { ...registration } }, attempt);
    return frame.type === 'registered' ? { type: 'done', value: frame.instance } : failureOf(frame);
  }

  async renew({ id }: Registered, attempt: Attempt): Promise<Answer<void>> {
    const frame = await this.#ask({ type: 'renew', instances: [id] }, attempt);
    if (frame.type === 'renewed') return frame.unknown.includes(id) ? { type: 'gone' } : DONE;
    // The frame itself was heard, and that keeps the lease.
    return frame.type === 'error' && frame.code === 'rate-limited' ? DONE : failureOf(frame);
  }

  async deregister({ id }: Registered, attempt: Attempt): Promise<Answer<void>> {
    const frame = await this.#ask({ type: 'deregister', instance: id }, attempt);
    return frame.type === 'deregistered' ? DONE : failureOf(frame);
  }

  /** Waiting for a turn is a part of the time, so that a dead socket with a thousand instances holds up none of them for longer. */
  #ask(frame: AskFrame, { timeoutMs, signal }: Attempt): Promise<ServerFrame | Unanswered> {
    const time = this.#time;
    const deadline = time.now() + timeoutMs;
    return new Promise((resolve) => {
      let over = false;
      const end = (answer: ServerFrame | Unanswered): void => {
        over = true;
        cancel();
        signal.removeEventListener('abort', aborted);
        resolve(answer);
      };
      const aborted = (): void => end({ type: 'unanswered', detail: 'It was given up.' });
      const cancel = time.after(timeoutMs, () =>
        end({ type: 'unanswered', detail: 'The socket brought no answer in time.' }),
      );
      signal.addEventListener('abort', aborted, { once: true });
      void this.#turns.run(async () => {
        if (over) return;
        end(await this.#socket.send(frame, { timeoutMs: deadline - time.now() }).catch(unanswered));
      });
    });
  }
}

interface Unanswered {
  readonly type: 'unanswered';
  readonly detail: string;
}

const unanswered = (error: unknown): Unanswered => ({ type: 'unanswered', detail: messageOf(error) });

const DONE = { type: 'done', value: undefined } as const;

function failureOf(frame: ServerFrame | Unanswered): Exclude<Answer<never>, { type: 'done' }> {
  if (frame.type === 'unanswered') return { type: 'away', detail: frame.detail };
  if (frame.type !== 'error') return { type: 'away', detail: `a ${frame.type} is not the answer` };
  const { code, message, retryAfterMs } = frame;
  if (code === 'rate-limited') return { type: 'away', detail: message, retryAfterMs: retryAfterMs ?? 1000 };
  if (ELSEWHERE.has(code)) return { type: 'away', detail: message };
  const { errors } = frame;
  return { type: 'refused', problem: { type: `/problems/${code}`, detail: message, ...(errors && { errors }) } };
}

/** What another node, or HTTP, may have no objection to. */
const ELSEWHERE: ReadonlySet<ErrorFrame['code']> = new Set([
  'unavailable',
  'too-many-registrations',
  'too-many-requests',
  'bad-frame',
  'duplicate-id',
]);

import { fitsFrame } from '../connection/longest-frame.ts';
import type { Answer, Attachment, Attempt, Desk, Registered } from './desk.ts';

export interface EitherDeskOptions {
  readonly socket: Desk;
  readonly http: Desk;
  readonly attachment: Pick<Attachment, 'socket'>;
}

/**
 * Over the socket while there is one, else by HTTP. What the socket cannot do now, such as the 1001st instance of it, is done by HTTP
 * in what is left of the time; then the instance is not attached to it.
 */
export function eitherDesk({ socket, http, attachment }: EitherDeskOptions): Desk {
  const attached = (registered: Registered): boolean =>
    registered.socket !== undefined && registered.socket === attachment.socket;
  return {
    async register(registration, attempt) {
      const number = attachment.socket;
      if (number === undefined || !fitsFrame(registration)) return http.register(registration, attempt);
      return first(
        attempt,
        async (share) => over(number, await socket.register(registration, share)),
        (rest) => http.register(registration, rest),
      );
    },
    async renew(registered, attempt) {
      if (!attached(registered)) return http.renew(registered, attempt);
      return first(
        attempt,
        (share) => socket.renew(registered, share),
        (rest) => http.renew(registered, rest),
      );
    },
    async deregister(registered, attempt) {
      if (!attached(registered)) return http.deregister(registered, attempt);
      return first(
        attempt,
        (share) => socket.deregister(registered, share),
        (rest) => http.deregister(registered, rest),
      );
    },
  };
}

/** Each has half of the time, so that a socket that is dead without having ended takes not all of it. */
async function first<T>(
  { timeoutMs, signal }: Attempt,
  bySocket: (share: Attempt) => Promise<Answer<T>>,
  byHttp: (rest: Attempt) => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const half = { timeoutMs: timeoutMs / 2, signal };
  const answer = await bySocket(half);
  return answer.type === 'away' && answer.retryAfterMs === undefined && !signal.aborted ? byHttp(half) : answer;
}

const over = (socket: number, answer: Answer<Registered>): Answer<Registered> =>
  answer.type === 'done' ? { type: 'done', value: { ...answer.value, socket } } : answer;

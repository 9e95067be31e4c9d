import { answer } from './answers.ts';
import type { AdminAnswer } from './request.ts';

interface Deps {
  readonly serviceId: string;
  /** The environment that it is registered for; empty where it has none. */
  readonly tag: string;
  readonly wall: () => number;
  /** Ends it gracefully. */
  readonly close: () => void;
}

/** `DELETE /adm/shutdown`: `{time, serviceId, tag}`, `time` in milliseconds since 1970; once that is sent, a graceful end. */
export const shutdown =
  ({ serviceId, tag, wall, close }: Deps) =>
  (): AdminAnswer => ({ ...answer({ time: wall(), serviceId, tag }, 'shutting down'), after: close });

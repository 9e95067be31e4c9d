/**
 * Why the server closes a watch socket. 4000-4499: connect again, resuming from the last position; the reason is a JSON
 * object with `retryAfterMs` where the server wants to spread the load. 4500-4999: do not come back before something is
 * changed; the reason is a sentence.
 */
export const CLOSE = {
  /** This node is going away, or does not trust what it has told. Reason: `{"retryAfterMs":…}`. */
  draining: 4000,
  /** The socket did not take what was written to it. Reason: `{"epoch":…,"revision":…}`, everything up to there was sent. */
  tooSlow: 4001,
  /** Nothing was heard from the client for two heartbeats. */
  silent: 4002,
  /** The server holds as many sockets as it may. Reason: `{"retryAfterMs":…}`. */
  full: 4003,
  /** The token that the socket was opened with holds no longer: it has expired, or its key was withdrawn. Connect with a new one. */
  tokenEnded: 4004,
  /** A position is ahead of this node, and the log cannot be asked. Reason: `{"retryAfterMs":…}`; another node may be further. */
  behind: 4005,
  /** The caller may not watch any more, such as a service account that was deleted. Connect as somebody who may. */
  accessEnded: 4501,
  /** The client keeps sending frames that the protocol does not know. */
  protocolError: 4500,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** Whether a client should connect again after this code. Codes outside the protocol's ranges (1006, 1001 ...) mean yes. */
export const mayRetry = (code: number): boolean => code < 4500 || code > 4999;

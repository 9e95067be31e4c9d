import type { ClientFrame, ServerFrame } from '../../protocol/frames.ts';
import type { ProblemDetails } from '../errors.ts';
import type { CarrierName } from '../options.ts';

/** One connection to one node, whatever carries it: frames go in, frames come out, and at some time it ends. */
export interface Link {
  /** What cannot be sent any more is dropped: `end` follows, or was called. */
  send(frame: ClientFrame): void;
  /** Ends it politely. Nothing is called from then on. */
  close(): void;
}

type Synced = Extract<ServerFrame, { readonly type: 'synced' }>;

/** A server's frame. A long poll has no digest to check a cache by. */
export type LinkFrame = Exclude<ServerFrame, Synced> | (Omit<Synced, 'digest'> & { readonly digest?: string });

/** How a link ended, or why there was none. */
export type LinkEnd =
  /** The server, or something in between, closed it: a close code of the protocol (openapi/PUSH.md) or of RFC 6455. */
  | { readonly type: 'closed'; readonly code: number; readonly reason: string }
  /** The opening was answered with an HTTP status that is not an upgrade. */
  | {
      readonly type: 'refused';
      readonly status: number;
      readonly detail: string;
      readonly retryAfterMs?: number;
      /** Left out where the answer is not Signalbox's own, but that of something in between, or of another program. */
      readonly problem?: ProblemDetails;
    }
  /** Nobody answered, or the connection broke before the first frame. */
  | {
      readonly type: 'unreachable';
      readonly detail: string;
      /** false: there was not even a connection, so that no other carrier would fare better. Left out where that is not known. */
      readonly reached?: boolean;
    };

/** What a link tells; each is called synchronously, and never before `open` has returned. */
export interface LinkEvents {
  readonly onFrame: (frame: LinkFrame) => void;
  /** Something was heard that is no frame, such as a WebSocket ping. */
  readonly onHeard: () => void;
  /** Once; nothing follows. */
  readonly onEnd: (end: LinkEnd) => void;
}

export interface LinkAddress {
  /** `http://` or `https://`, with a base path where there is one, without a slash at its end. */
  readonly url: string;
  /** An access token; undefined where none is needed, or where a browser brings its cookie. */
  readonly token: string | undefined;
  readonly openTimeoutMs: number;
}

/** A way to carry frames. Only a WebSocket carries registrations; the others answer them with an error. */
export interface Carrier {
  readonly name: CarrierName;
  open(address: LinkAddress, events: LinkEvents): Link;
}

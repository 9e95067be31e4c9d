import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Send } from '../ports.ts';
import { bodyOf } from './body.ts';
import { Forward, hasBody, type Ended, type Request, type Response } from './forward.ts';
import { requestHeaders } from './headers.ts';
import { join } from './upgrade.ts';

/** Where a request goes, and as what. */
export interface Way {
  readonly send: Send;
  readonly path: string;
  readonly target: string;
  readonly pseudonym: string;
  /** Names of headers, in lower case, that are not passed on. */
  readonly drop: ReadonlySet<string>;
  readonly key?: string;
  readonly instance?: string;
  readonly onEnd: (ended: Ended) => void;
  readonly onRetry?: () => void;
}

interface Upgrading {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Passes a request on, and what comes of it back. */
export function pass(request: Request, response: Response, way: Way, upgrading?: Upgrading): void {
  const protocol = upgrading === undefined ? undefined : String(request.headers.upgrade);
  const { socket } = request;
  const headers = requestHeaders(
    request.rawHeaders,
    request.headers,
    {
      address: socket.remoteAddress,
      encrypted: (socket as Partial<TLSSocket>).encrypted ?? false,
      httpVersion: request.httpVersion,
    },
    way,
  );
  const forward = new Forward(response, {
    target: way.target,
    onEnd: way.onEnd,
    ...(way.onRetry !== undefined && { onRetry: way.onRetry }),
    ...(upgrading !== undefined && {
      onUpgrade: (status, answer, upgraded) => {
        (response as { detachSocket?: (socket: unknown) => void }).detachSocket?.(upgrading.socket);
        join(upgrading.socket, upgrading.head, { status, headers: answer, socket: upgraded }, String(protocol));
      },
    }),
  });
  const outgoing = {
    method: request.method ?? 'GET',
    path: way.path,
    headers,
    body: upgrading === undefined && hasBody(request) ? bodyOf(request) : null,
    ...(protocol !== undefined && { upgrade: protocol }),
    ...(way.key !== undefined && { key: way.key }),
    ...(way.instance !== undefined && { instance: way.instance }),
  };
  try {
    way.send(outgoing, forward);
  } catch (error) {
    // A request that undici does not take, such as one with a method that is none.
    forward.failed(error);
  }
}

import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Endpoint } from '../../sdk/discovery/endpoint.ts';
import type { RawHeaders, Send } from '../ports.ts';
import { CallerBody } from './body.ts';
import { Forward, type Tally } from './forward.ts';
import { requestHeaders, type Passing } from './headers.ts';
import { hasBody, type Request, type Response } from './messages.ts';
import { join } from './upgrade.ts';

/** What all requests to one service, or to the backend, have in common. */
export interface Target extends Passing {
  /** For what a caller is told. */
  readonly name: string;
  readonly send: Send;
  readonly tally: Tally;
}

/** Where a request goes, and as what. */
export interface Way {
  readonly target: Target;
  readonly path: string;
  readonly startedAt: number;
  readonly key: string | undefined;
  readonly only: Endpoint | undefined;
}

interface Upgrading {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Passes a request on, and what comes of it back. */
export function pass(
  request: Request,
  response: Response,
  { target, path, startedAt, key, only }: Way,
  upgrading?: Upgrading,
): void {
  const protocol = upgrading === undefined ? undefined : String(request.headers.upgrade);
  const { socket, httpVersion } = request;
  const encrypted = (socket as Partial<TLSSocket>).encrypted ?? false;
  const { remoteAddress: address } = socket;
  const from = { address, isTrusted: target.trusts(address), encrypted, httpVersion };
  const onUpgrade = upgrading && joining(response, upgrading, String(protocol));
  const forward = new Forward(response, { target: target.name, tally: target.tally, startedAt, onUpgrade });
  try {
    const outgoing = {
      method: request.method ?? 'GET',
      path,
      headers: requestHeaders(request.rawHeaders, request.headers, from, target),
      body: upgrading === undefined && hasBody(request) ? new CallerBody(request) : null,
      upgrade: protocol,
      key,
      only,
    };
    target.send(outgoing, forward);
  } catch (error) {
    // A request that undici does not take, such as one with a method that is none.
    forward.failed(error);
  }
}

const joining =
  (response: Response, { socket, head }: Upgrading, protocol: string) =>
  (status: number, headers: RawHeaders, upgraded: Duplex): void => {
    (response as { detachSocket?: (socket: unknown) => void }).detachSocket?.(socket);
    join(socket, head, { status, headers, socket: upgraded }, protocol);
  };

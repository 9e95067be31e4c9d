import { ServerResponse, STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { giveUpSoon } from '../listen/idle.ts';
import type { RawHeaders } from '../ports.ts';
import { answerHeaders } from './headers.ts';

/** For the case that an upgrade is answered as any request; its connection is closed after that. */
export function upgradeResponse(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.on('finish', () => {
    socket.end();
    // That its client ends it, too, is only noticed where it is read.
    socket.resume();
    giveUpSoon(socket);
  });
  socket.on('error', () => socket.destroy());
  return response;
}

/** Answers an upgrade as the service did, and joins both sockets until one of them ends. */
export function join(
  caller: Duplex,
  head: Buffer,
  upgraded: { readonly status: number; readonly headers: RawHeaders; readonly socket: Duplex },
  protocol: string,
): void {
  const { status, headers, socket } = upgraded;
  caller.write(switching(status, headers, protocol));
  if (head.length > 0) socket.write(head);
  const end = (): void => {
    caller.destroy();
    socket.destroy();
  };
  for (const side of [caller, socket]) {
    side.on('error', end);
    side.on('close', end);
  }
  caller.pipe(socket);
  socket.pipe(caller);
}

function switching(status: number, headers: RawHeaders, protocol: string): string {
  const fields = answerHeaders(headers);
  const lines = fields.flatMap((name, n) => (n % 2 === 0 ? [`${name}: ${fields[n + 1] ?? ''}`] : []));
  const first = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
  return [first, 'connection: upgrade', `upgrade: ${protocol}`, ...lines, '', ''].join('\r\n');
}

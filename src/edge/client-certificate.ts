import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificates } from '../auth/certificates.ts';
import type { Verified } from '../auth/grant.ts';

/** What a connection's certificate is worth, asked once for each connection. */
const known = new WeakMap<TLSSocket, { readonly verified: Verified | undefined }>();
/** The generation of the authorities that a connection was begun with. */
const begunWith = new WeakMap<TLSSocket, number>();
/** Older than any: of a connection whose beginning nobody has seen. */
const UNSEEN = -1;

/**
 * Notes for each connection with which authorities it begins. The server takes those when a connection comes, and the
 * handshake may be over, and the certificate asked for, long after others have taken their place.
 */
export function noteBeginnings(server: Server, certificates: Pick<Certificates, 'generation'>): void {
  const coming = new Map<string, number>();
  // A socket over TLS is another object than the connection under it; they have their addresses in common.
  server.prependListener('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    coming.set(ends, certificates.generation);
    socket.once('close', () => coming.delete(ends));
  });
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    begunWith.set(socket, coming.get(endsOf(socket)) ?? UNSEEN);
  });
}

const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;

/** `undefined` where no certificate was shown. */
export function certificateOf(certificates: Certificates, { socket }: IncomingMessage): Verified | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  let found = known.get(socket);
  if (found === undefined) {
    const { authorized, authorizationError } = socket;
    const error = authorizationError as Error | string | undefined;
    const certificate = socket.getPeerCertificate();
    const shown = { authorized, error: error === undefined ? undefined : String(error), certificate };
    known.set(socket, (found = { verified: certificates.verify(shown, begunWith.get(socket) ?? UNSEEN) }));
  }
  return found.verified;
}

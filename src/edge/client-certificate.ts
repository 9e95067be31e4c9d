import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Certificates } from '../auth/certificates.ts';
import type { Verified } from '../auth/grant.ts';

/** What a connection's certificate is worth, asked once for each connection. */
const known = new WeakMap<TLSSocket, { readonly verified: Verified | undefined }>();

/** `undefined` where no certificate was shown. */
export function certificateOf(certificates: Certificates, { socket }: IncomingMessage): Verified | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  let found = known.get(socket);
  if (found === undefined) {
    const { authorized, authorizationError } = socket;
    const error = authorizationError as Error | string | undefined;
    const certificate = socket.getPeerCertificate();
    const shown = { authorized, error: error === undefined ? undefined : String(error), certificate };
    known.set(socket, (found = { verified: certificates.verify(shown) }));
  }
  return found.verified;
}

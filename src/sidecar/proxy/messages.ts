import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

export type Request = IncomingMessage | Http2ServerRequest;
/** `node:http2` makes its answers compatible with `node:http`'s, but not their types. */
export type Response = ServerResponse | Http2ServerResponse;

export const hasBody = (request: Request): boolean =>
  request.httpVersionMajor >= 2
    ? !(request as Http2ServerRequest).stream.endAfterHeaders
    : request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0';

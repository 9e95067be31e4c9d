import { constants, type Http2ServerResponse } from 'node:http2';
import { hasBody, type Response } from './messages.ts';

/** So long has the rest of a body to come once its answer is whole. */
const REST_MS = 5000;

/**
 * Whoever answers need not have read the body, and its caller may go on sending it, or never end it. It is read for a while, since over
 * HTTP/1.1 the connection can be used again after it; then its stream, or its connection, is closed.
 */
export function leaveRest(response: Response): void {
  const { req } = response;
  if (req.complete || !hasBody(req)) return;
  // An answer of HTTP/2 has finished only once its stream is closed.
  const stream = req.httpVersionMajor >= 2 ? (response as Http2ServerResponse).stream : undefined;
  const { socket } = req;
  (stream ?? response).once('finish', () => {
    const timer = setTimeout(() => {
      if (stream === undefined) socket.destroy();
      else stream.close(constants.NGHTTP2_NO_ERROR);
    }, REST_MS);
    const done = (): void => clearTimeout(timer);
    req.once('end', done);
    (stream ?? socket).once('close', done);
    req.resume();
  });
}

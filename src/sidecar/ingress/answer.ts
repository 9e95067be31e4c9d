import type { ServerResponse } from 'node:http';
import type { Response } from '../proxy/messages.ts';
import type { AdminAnswer } from '../../kit/admin/request.ts';

/** Sends what an admin endpoint answers. What of the request was not read is not waited for. */
export function sendAnswer(response: Response, { status, body, headers, after }: AdminAnswer): void {
  const { req } = response as ServerResponse;
  const isText = typeof body === 'string';
  const text = isText ? body : JSON.stringify(body ?? null);
  const type = isText
    ? 'text/plain; charset=utf-8'
    : status >= 400
      ? 'application/problem+json'
      : 'application/json; charset=utf-8';
  if (after !== undefined) response.once('finish', after);
  (response as ServerResponse).writeHead(status, {
    'content-type': type,
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
    ...(req.httpVersionMajor === 1 && !req.complete && { connection: 'close' }),
  });
  response.end(req.method === 'HEAD' ? '' : text);
}

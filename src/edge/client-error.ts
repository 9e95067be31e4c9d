import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import type { Logger } from 'pino';
import { PROBLEMS, type ProblemCode } from '../protocol/problem-catalogue.ts';
import { renderProblem } from '../protocol/problem.ts';

const CODES: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
};

/** Answers what never became a request: no parser, no route and no reply exist for it, only the socket. */
export const clientErrorHandler =
  (logger: Logger) =>
  (error: Error & { readonly code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const code = CODES[error.code ?? ''] ?? 'malformed-request';
    logger.debug({ code: error.code, problem: code }, 'a connection was refused');
    if (socket.writable) socket.write(answer(code));
    socket.destroy();
  };

function answer(code: ProblemCode): string {
  const { status, title } = PROBLEMS[code];
  const body = renderProblem(code, { detail: `${title}.` }, undefined);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

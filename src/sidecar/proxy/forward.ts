import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Control, Incoming } from '../ports.ts';
import { problemBody, problemHeaders, type Refusal } from '../problem.ts';
import { responseHeaders } from './headers.ts';
import { refusalOf } from './refusal.ts';

export type Request = IncomingMessage | Http2ServerRequest;
/** `node:http2` makes its answers compatible with `node:http`'s, but not their types. */
export type Response = ServerResponse | Http2ServerResponse;

/** How a request ended, for metrics: a status, or that the caller gave up. */
export type Ended = number | 'cancelled' | 'cut';

export interface ForwardOptions {
  /** Who is called, for what a caller is told. */
  readonly target: string;
  /** Once. */
  readonly onEnd: (ended: Ended) => void;
  /** At each attempt after the first. */
  readonly onRetry?: () => void;
  /** Takes the sockets where an upgrade was asked for and granted. */
  readonly onUpgrade?: (status: number, headers: IncomingHttpHeaders, socket: Duplex) => void;
}

const CALLER_GONE = new Error('the caller went away');

/** Passes an answer on as it comes, at the pace at which the caller takes it. */
export class Forward implements Incoming {
  readonly #response: Response;
  readonly #options: ForwardOptions;
  #control: Control | undefined;
  #begun = false;
  #ended = false;

  constructor(response: Response, options: ForwardOptions) {
    this.#response = response;
    this.#options = options;
    response.on('close', this.#onClose);
    response.on('drain', this.#onDrain);
  }

  readonly #onClose = (): void => {
    if (this.#ended) return;
    this.#end('cancelled');
    this.#control?.abort(CALLER_GONE);
  };

  readonly #onDrain = (): void => {
    this.#control?.resume();
  };

  begun(control: Control): void {
    if (this.#control !== undefined) this.#options.onRetry?.();
    this.#control = control;
    if (this.#ended) control.abort(CALLER_GONE);
  }

  upgraded(status: number, headers: IncomingHttpHeaders, socket: Duplex): void {
    if (this.#ended || this.#options.onUpgrade === undefined) return void socket.destroy();
    this.#end(status);
    this.#options.onUpgrade(status, headers, socket);
  }

  started(status: number, headers: IncomingHttpHeaders): void {
    // Early hints and the like: what counts is still to come.
    if (status < 200 || this.#ended) return;
    this.#begun = true;
    (this.#response as ServerResponse).writeHead(status, responseHeaders(headers));
  }

  data(chunk: Buffer): void {
    if (!(this.#response as ServerResponse).write(chunk)) this.#control?.pause();
  }

  ended(trailers: IncomingHttpHeaders): void {
    const response = this.#response as ServerResponse;
    if (this.#ended) return;
    if (Object.keys(trailers).length > 0) response.addTrailers(trailers);
    this.#end(response.statusCode);
    response.end();
  }

  /** Half an answer must not look like a whole one: its connection is cut, or its stream reset. */
  failed(error: unknown): void {
    if (this.#ended) return;
    if (this.#begun) {
      this.#end('cut');
      cut(this.#response);
    } else {
      this.refuse(refusalOf(error, this.#options.target));
    }
  }

  refuse(refusal: Refusal): void {
    if (this.#ended) return;
    this.#end(refusal.status);
    refuse(this.#response, refusal);
  }

  #end(ended: Ended): void {
    this.#ended = true;
    this.#response.off('close', this.#onClose);
    this.#options.onEnd(ended);
  }
}

/** An answer of the sidecar itself. What of the request was not read yet is not waited for. */
export function refuse(response: Response, refusal: Refusal): void {
  const { req } = response as ServerResponse;
  const http1 = response.req.httpVersionMajor === 1;
  const isWhole = req.complete || !hasBody(req);
  const body = problemBody(refusal);
  (response as ServerResponse).writeHead(refusal.status, {
    ...problemHeaders(refusal),
    'content-length': String(Buffer.byteLength(body)),
    ...(http1 && !isWhole && { connection: 'close' }),
  });
  response.end(req.method === 'HEAD' ? '' : body);
}

export const hasBody = (request: Request): boolean =>
  request.httpVersionMajor >= 2
    ? !(request as Http2ServerRequest).stream.endAfterHeaders
    : request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0';

const INTERNAL_ERROR = 2;

function cut(response: Response): void {
  if (response.req.httpVersionMajor >= 2) (response as Http2ServerResponse).stream.close(INTERNAL_ERROR);
  else (response as ServerResponse).destroy();
}

import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Control, Incoming, RawHeaders } from '../ports.ts';
import { problemBody, problemHeaders, type Refusal } from '../problem.ts';
import { byName } from './by-name.ts';
import { answerHeaders } from './headers.ts';
import { hasBody, type Response } from './messages.ts';
import { refusalOf, UnfitAnswer } from './refusal.ts';
import { leaveRest } from './rest-of-body.ts';

/** How a request ended, for metrics: a status, or that the caller gave up. */
export type Ended = number | 'cancelled' | 'cut';

/** Counts the requests of one service. */
export interface Tally {
  /** Once for each request; `startedAt` of the monotonic clock. */
  ended(how: Ended, startedAt: number): void;
  /** At each attempt after the first. */
  retried(): void;
}

export interface ForwardOptions {
  /** Who is called, for what a caller is told. */
  readonly target: string;
  readonly tally: Tally;
  readonly startedAt: number;
  /** Takes the sockets where an upgrade was asked for and granted. */
  readonly onUpgrade: ((status: number, headers: RawHeaders, socket: Duplex) => void) | undefined;
}

/** A first part of a body that is copied rather than written beside its header. */
const SHORT_BYTES = 4096;
const CALLER_GONE = new Error('the caller went away');

/** Passes an answer on as it comes, at the pace at which the caller takes it. */
export class Forward implements Incoming {
  readonly #response: Response;
  readonly #options: ForwardOptions;
  #control: Control | undefined;
  #begun = false;
  #flowing = false;
  #ended = false;

  constructor(response: Response, options: ForwardOptions) {
    this.#response = response;
    this.#options = options;
    response.on('close', () => this.#closed());
  }

  #closed(): void {
    if (this.#ended) return;
    this.#end('cancelled');
    this.#control?.abort(CALLER_GONE);
  }

  begun(control: Control): void {
    if (this.#control !== undefined) this.#options.tally.retried();
    this.#control = control;
    if (this.#ended) control.abort(CALLER_GONE);
  }

  upgraded(status: number, headers: RawHeaders, socket: Duplex): void {
    const { onUpgrade } = this.#options;
    if (this.#ended || onUpgrade === undefined) return void socket.destroy();
    this.#end(status);
    onUpgrade(status, headers, socket);
  }

  started(status: number, headers: RawHeaders): void {
    if (this.#ended) return;
    const fields = answerHeaders(headers);
    const response = this.#response as ServerResponse;
    const http1 = response.req.httpVersionMajor === 1;
    try {
      response.writeHead(status, http1 ? fields : byName(fields));
    } catch (error) {
      // Nothing of it may be left in the answer that says so.
      for (const name of response.getHeaderNames()) if (name !== 'connection') response.removeHeader(name);
      throw new UnfitAnswer(error);
    }
    this.#begun = true;
    if (http1) process.nextTick(flush, this);
  }

  /** Node sends the header with the first part of the body. Where that does not come at once, the caller is not kept waiting. */
  flush(): void {
    if (!this.#flowing && !this.#ended) (this.#response as ServerResponse).flushHeaders();
  }

  data(chunk: Buffer): void {
    const response = this.#response as ServerResponse;
    const isShort = !this.#flowing && chunk.length <= SHORT_BYTES;
    this.#flowing = true;
    // As one text with the header, which is one write to the socket instead of a list of them.
    if (isShort ? response.write(chunk.toString('latin1'), 'latin1') : response.write(chunk)) return;
    this.#control?.pause();
    response.once('drain', () => this.#control?.resume());
  }

  ended(trailers: RawHeaders): void {
    const response = this.#response as ServerResponse;
    if (this.#ended) return;
    if (trailers.length > 0) response.addTrailers(byName(answerHeaders(trailers)));
    this.#end(response.statusCode);
    // Once what was written in this turn is on its way: an end in the same turn would make a list of it again.
    process.nextTick(end, response);
  }

  /** Half an answer must not look like a whole one: its connection is cut, or its stream reset. */
  failed(error: unknown): void {
    if (this.#ended) return;
    if (this.#begun) {
      this.#end('cut');
      cut(this.#response);
    } else {
      const refusal = refusalOf(error, this.#options.target);
      this.#end(refusal.status);
      refuse(this.#response, refusal);
    }
  }

  #end(how: Ended): void {
    this.#ended = true;
    this.#options.tally.ended(how, this.#options.startedAt);
  }
}

function end(response: ServerResponse): void {
  leaveRest(response);
  response.end();
}

const flush = (forward: Forward): void => forward.flush();

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

const INTERNAL_ERROR = 2;

function cut(response: Response): void {
  if (response.req.httpVersionMajor >= 2) (response as Http2ServerResponse).stream.close(INTERNAL_ERROR);
  else (response as ServerResponse).destroy();
}

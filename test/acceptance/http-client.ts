import { Agent, request, type IncomingHttpHeaders } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // The tests look into answers of every shape.
  readonly body: any;
}

/** A request that got no whole answer: whether it was carried out is not known. */
export class NoAnswer extends Error {
  /** Of the system or of Node, such as ECONNRESET. */
  readonly code: string | undefined;
  /** The answer had begun. */
  readonly torn: boolean;

  constructor(cause: NodeJS.ErrnoException, torn: boolean) {
    super(`no answer: ${cause.message}`, { cause });
    this.name = 'NoAnswer';
    this.code = cause.code;
    this.torn = torn;
  }
}

/** One caller with one connection, which it keeps. */
export class Caller {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string) {
    this.#url = url;
  }

  send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const type: Record<string, string> = text === undefined ? {} : { 'content-type': 'application/json' };
      const options = { method, agent: this.#agent, headers: { ...type, ...headers }, timeout: 60_000 };
      let torn = false;
      const fail = (error: NodeJS.ErrnoException): void => reject(new NoAnswer(error, torn));
      const sent = request(this.#url + path, options, (response) => {
        torn = true;
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => {
          const { statusCode: status = 0, headers: answered } = response;
          resolve(replyOf(status, answered, Buffer.concat(parts).toString()));
        });
      });
      sent.on('error', fail);
      sent.on('timeout', () => sent.destroy(new Error('nothing came for a minute')));
      sent.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function replyOf(status: number, headers: IncomingHttpHeaders, text: string): Reply {
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Not every answer is JSON.
  }
  return { status, headers, text, body };
}

/** The revision that an answer's ETag names. */
export const revisionOf = ({ headers }: Pick<Reply, 'headers'>): number => Number(headers.etag?.replaceAll('"', ''));

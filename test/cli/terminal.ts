import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import type { EndSignal, Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { plain, styler } from '../../src/cli/style.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface TerminalOptions {
  readonly stdin?: string;
  readonly env?: Record<string, string>;
  readonly color?: boolean;
}

/** A terminal that keeps what is written to it. */
export function terminal({ stdin = '', env = {}, color = false }: TerminalOptions) {
  const listeners = new Set<(signal: EndSignal) => void>();
  const ran = {
    out: '',
    err: '',
    interrupt: (): void => {},
    signal: (signal: EndSignal): void => listeners.forEach((listener) => listener(signal)),
  };
  const io: Io = {
    env,
    width: undefined,
    style: color ? styler(true) : plain,
    errStyle: plain,
    stdin: Readable.from([Buffer.from(stdin)]),
    out: (text) => void (ran.out += `${text}\n`),
    err: (text) => void (ran.err += `${text}\n`),
    write: (bytes) => Promise.resolve(void (ran.out += Buffer.from(bytes).toString())),
    onInterrupt: (listener) => void (ran.interrupt = listener),
    onSignal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return { io, ran };
}

type Answer = (reply: FastifyReply, query: Record<string, string>) => unknown;

/** An HTTP server that answers what a test tells it to, and remembers what it was asked. */
export class AnsweringServer {
  readonly #app: FastifyInstance;
  url = '';
  seen: { method: string; url: string; body: unknown; type: string | undefined }[] = [];
  /** What was shown to it, request by request. */
  authorizations: (string | undefined)[] = [];
  /** By method and path without its query. */
  answers: Record<string, Answer> = {};

  constructor() {
    this.#app = Fastify({ forceCloseConnections: true });
    this.#app.addContentTypeParser('application/x-ndjson', { parseAs: 'string' }, (_request, body, done) =>
      done(null, body),
    );
    this.#app.all('/*', (request, reply) => {
      const { method, url, body } = request;
      this.authorizations.push(request.headers.authorization);
      const path = url.split('?')[0] ?? '';
      this.seen.push({ method, url, body, type: request.headers['content-type'] });
      const answer = this.answers[`${method} ${path}`];
      if (answer === undefined) return problem(reply, 404, 'not-found', { detail: `nothing at ${path}` });
      return answer(reply, request.query as Record<string, string>);
    });
  }

  async start(): Promise<void> {
    this.url = await this.#app.listen({ host: '127.0.0.1', port: 0 });
  }

  stop(): Promise<void> {
    return this.#app.close();
  }

  reset(): void {
    this.seen = [];
    this.authorizations = [];
    this.answers = {};
  }

  /** Runs the command line against this server. */
  async signalbox(args: readonly string[], options: TerminalOptions = {}): Promise<Ran> {
    const { io, ran } = terminal({ env: { SIGNALBOX_URL: this.url }, ...options });
    const code = await run(args, io);
    return { code, out: ran.out, err: ran.err };
  }
}

/** A refusal as the server words it. */
export const problem = (reply: FastifyReply, status: number, code: string, more: object): FastifyReply =>
  reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: `/problems/${code}`, title: `Title of ${code}`, status, ...more }));

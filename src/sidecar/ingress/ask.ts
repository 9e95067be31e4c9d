import { Readable } from 'node:stream';
import type { OutgoingBody, Send } from '../ports.ts';

export type Asked =
  | { readonly type: 'answered'; readonly status: number; readonly json: unknown }
  /** Nobody answered, not in time, too much, or no JSON. */
  | { readonly type: 'failed'; readonly why: string };

export interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers?: readonly string[];
  readonly json?: unknown;
}

const MAX_BYTES = 1 << 20;

/** Asks the backend for JSON. Never rejects. */
export function ask(send: Send, question: Question, timeoutMs: number): Promise<Asked> {
  return new Promise((resolve) => {
    let abort: ((reason: Error) => void) | undefined;
    const done = (asked: Asked): void => {
      clearTimeout(timer);
      resolve(asked);
    };
    const giveUp = (why: string): void => {
      done({ type: 'failed', why });
      abort?.(new Error(why));
    };
    const timer = setTimeout(() => giveUp(`no answer within ${timeoutMs} ms`), timeoutMs);
    const chunks: Buffer[] = [];
    let [status, bytes] = [0, 0];
    const text = question.json === undefined ? undefined : JSON.stringify(question.json);
    send(
      {
        method: question.method,
        path: question.path,
        headers: [
          'accept',
          'application/json',
          ...(text === undefined ? [] : ofJson(text)),
          ...(question.headers ?? []),
        ],
        body: text === undefined ? null : wholeBody(text),
        upgrade: undefined,
        key: undefined,
        only: undefined,
      },
      {
        begun: (control) => (abort = (reason) => control.abort(reason)),
        upgraded: (_status, _headers, socket) => void socket.destroy(),
        started: (code) => (status = code),
        data: (chunk) => {
          bytes += chunk.length;
          if (bytes > MAX_BYTES) giveUp('the answer is too long');
          else chunks.push(chunk);
        },
        ended: () => done(readJson(status, Buffer.concat(chunks).toString())),
        failed: (error) => done({ type: 'failed', why: codeOf(error) }),
      },
    );
  });
}

const wholeBody = (text: string): OutgoingBody => ({
  isWhole: true,
  movedAt: -Infinity,
  isAwaited: false,
  attempt: () => Readable.from([Buffer.from(text)]),
});

const ofJson = (text: string): string[] => [
  'content-type',
  'application/json',
  'content-length',
  String(Buffer.byteLength(text)),
];

function readJson(status: number, text: string): Asked {
  try {
    return { type: 'answered', status, json: text === '' ? undefined : (JSON.parse(text) as unknown) };
  } catch {
    return status >= 300
      ? { type: 'answered', status, json: undefined }
      : { type: 'failed', why: 'the answer is no JSON' };
  }
}

function codeOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return String(code ?? message);
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { encoded, problem } from '../admin/answers.ts';
import type { AdminAnswer } from '../admin/request.ts';
import { isSpared } from '../admin/routes.ts';
import type { Kit } from '../kit.ts';
import { adminRequest, pathOf } from './request.ts';

/** What `node:http` calls, and Express as a middleware. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

/**
 * Answers the kit's endpoints, and hands everything else on to `next`, after the assaults that are on. Without a `next` everything
 * else is answered 404. In Express it is a middleware; put it before those that check who calls, since it has a guard of its own.
 */
export function nodeHandler({ admin, chaos }: Pick<Kit, 'admin' | 'chaos'>): NodeHandler {
  return (request, response, next) => {
    const path = pathOf(request.url);
    if (admin.owns(path)) {
      admin
        .answer(adminRequest(request, path))
        .then((answer) => send(response, answer, request.method))
        // A promise that nobody holds may not reject: that would end the process.
        .catch(() => response.destroy());
      return;
    }
    const goOn = next ?? (() => send(response, problem(404, 'There is nothing here.'), request.method));
    if (!chaos.active || isSpared(path)) return goOn();
    void chaos.strike().then((fate) => {
      // Who was answered while it was late is not answered again.
      if (response.writableEnded) return;
      if (fate === 'pass') goOn();
      else send(response, problem(500, 'Chaos: the exception assault.'), request.method);
    });
  };
}

/** Something else may have answered meanwhile, such as a time limit: then what was asked for is done, and nothing said. */
function send(response: ServerResponse, answer: AdminAnswer, method: string | undefined): void {
  const { headers, text } = encoded(answer);
  const { after } = answer;
  if (after !== undefined) {
    if (response.closed) after();
    else response.once('close', after);
  }
  if (response.headersSent) return;
  response.writeHead(answer.status, { ...headers, 'content-length': Buffer.byteLength(text) });
  response.end(method === 'HEAD' ? undefined : text);
}

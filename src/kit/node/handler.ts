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
      void admin.answer(adminRequest(request, path)).then((answer) => send(response, answer, request.method));
      return;
    }
    const goOn = next ?? (() => send(response, problem(404, 'There is nothing here.'), request.method));
    if (!chaos.active || isSpared(path)) return goOn();
    void chaos.strike().then((fate) => {
      if (fate === 'pass') goOn();
      else send(response, problem(500, 'Chaos: the exception assault.'), request.method);
    });
  };
}

function send(response: ServerResponse, answer: AdminAnswer, method: string | undefined): void {
  const { headers, text } = encoded(answer);
  const { after } = answer;
  if (after !== undefined) response.once('close', after);
  response.writeHead(answer.status, { ...headers, 'content-length': Buffer.byteLength(text) });
  response.end(method === 'HEAD' ? undefined : text);
}

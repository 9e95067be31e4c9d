import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../../protocol/problem.ts';
import { etagOf, sendItem } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { isFresh } from '../preconditions.ts';
import { seenBy } from '../seen.ts';
import { nameIn, type Collection, type PathParams } from './collections.ts';

/** `GET` of one resource. */
export function readOne({ state }: Pick<EdgeDeps, 'state'>, collection: Collection) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const name = nameIn(collection, request.params as PathParams);
    const item = seenBy(request, state).get(name);
    // An id with an encoded slash could spell the name of another kind.
    if (item === undefined || item.kind !== collection.kind) {
      throw new Problem('not-found', `There is no ${collection.noun} ${JSON.stringify(name.slice(0, 400))}.`);
    }
    const held = request.headers['if-none-match'];
    if (held !== undefined && isFresh(held, item.revision)) {
      reply.code(304).header('etag', etagOf(item.revision)).send();
    } else {
      sendItem(reply, item);
    }
  };
}

import { Type } from 'typebox';
import type { FastifyInstance } from 'fastify';
import type { EdgeDeps } from '../deps.ts';
import { answers, ETAG, json, LIST_PROBLEMS, NO_QUERY, pageOf, READ_PROBLEMS, ReadHeaders, ref } from '../openapi.ts';
import { ADVISORIES } from './collections.ts';
import { list, ListQuery } from './list.ts';
import { readOne } from './read-one.ts';

/** Reading advisories; Signalbox makes them, and they go away by themselves. */
export function advisoryRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: ADVISORIES.listPath,
    config: { action: 'instance.read' },
    schema: {
      operationId: 'ListAdvisories',
      tags: ['instances'],
      summary: 'List advisories: what people should know about now',
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json('A page of advisories, in order.', pageOf('Advisory')) }, LIST_PROBLEMS),
    },
    handler: list(deps, ADVISORIES),
  });
  app.route({
    method: 'GET',
    url: ADVISORIES.itemPath,
    config: { action: 'instance.read' },
    schema: {
      operationId: 'GetAdvisory',
      tags: ['instances'],
      summary: 'Read an advisory',
      params: Type.Object({ advisory: Type.String({ description: 'The id of the advisory.' }) }),
      querystring: NO_QUERY,
      headers: ReadHeaders,
      response: answers({ 200: { ...json('The advisory.', ref('Advisory')), headers: ETAG } }, READ_PROBLEMS),
    },
    handler: readOne(deps, ADVISORIES),
  });
}

import type { FastifyInstance, FastifySchema } from 'fastify';
import { Type, type TSchema } from 'typebox';
import { id } from '../../protocol/text.ts';
import { acceptOnly, JSON_BODY } from '../body.ts';
import type { EdgeDeps } from '../deps.ts';
import {
  answers,
  BODY_REFUSALS,
  componentOf,
  ETAG,
  json,
  MIN_REVISION,
  NO_QUERY,
  pageOf,
  READ_PROBLEMS,
  ReadHeaders,
  ref,
  REFUSALS,
} from '../openapi.ts';
import { COLLECTIONS, type Collection } from './collections.ts';
import { list, ListQuery } from './list.ts';
import { readOne } from './read-one.ts';
import { deleteOne, patchOne, putOne, WriteQuery } from './write-one.ts';

const PATCH_TYPES = ['application/merge-patch+json', ...JSON_BODY];

const IF_MATCH = {
  'if-match': Type.Optional(Type.String({ description: 'The ETag the resource must have, or * for any.' })),
};
const IF_NONE_MATCH = {
  'if-none-match': Type.Optional(Type.String({ description: '* : the resource must not exist.' })),
};

/** The eight kinds, from one definition. Each scope takes the bodies that its methods take. */
export function catalogRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.register((scope, _options, done) => {
    acceptOnly(scope, []);
    for (const collection of COLLECTIONS) readRoutes(scope, deps, collection);
    done();
  });
  app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY);
    for (const collection of COLLECTIONS) putRoute(scope, deps, collection);
    done();
  });
  app.register((scope, _options, done) => {
    acceptOnly(scope, PATCH_TYPES);
    for (const collection of COLLECTIONS) patchRoute(scope, deps, collection);
    done();
  });
}

function readRoutes(app: FastifyInstance, deps: EdgeDeps, collection: Collection): void {
  const { noun, plural, operation, itemPath, listPath, parent, kind } = collection;
  app.route({
    method: 'GET',
    url: listPath,
    config: { action: 'catalog.read' },
    schema: {
      ...head(`List${operation.many}`, `List ${plural}`),
      ...(parent && {
        description: `With \`-\` in place of the ${parent.kind}, the ${plural} of all ${parent.kind}s.`,
      }),
      ...(parent && { params: listParams(collection) }),
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json(`A page of ${plural}, in order.`, pageOf(componentOf(kind))) }, READ_PROBLEMS),
    },
    handler: list(deps, collection),
  });
  app.route({
    method: 'GET',
    url: itemPath,
    config: { action: 'catalog.read' },
    schema: {
      ...head(`Get${operation.one}`, `Read a ${noun}`),
      params: itemParams(collection),
      querystring: NO_QUERY,
      headers: Type.Object({
        ...MIN_REVISION,
        'if-none-match': Type.Optional(Type.String({ description: 'ETags that the caller has.' })),
      }),
      response: answers(
        { 200: resource(kind, `The ${noun}.`), 304: { description: 'The caller has it already.', headers: ETAG } },
        READ_PROBLEMS,
      ),
    },
    handler: readOne(deps, collection),
  });
  app.route({
    method: 'DELETE',
    url: itemPath,
    config: { action: 'catalog.delete' },
    schema: {
      ...head(`Delete${operation.one}`, `Delete a ${noun}`),
      params: itemParams(collection),
      querystring: WriteQuery,
      headers: Type.Object(IF_MATCH),
      response: answers({ 200: json('It is gone.', DELETED) }, ['not-found', ...REFUSALS]),
    },
    handler: deleteOne(deps, collection),
  });
}

function putRoute(app: FastifyInstance, deps: EdgeDeps, collection: Collection): void {
  const { noun, operation, itemPath, kind } = collection;
  app.route({
    method: 'PUT',
    url: itemPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: 'catalog.write', accepts: JSON_BODY },
    schema: {
      ...head(`Put${operation.one}`, `Create or replace a ${noun}`),
      description:
        'Fields that are left out take their defaults. A body that says what is there already changes nothing and makes no revision (REV3).',
      params: itemParams(collection),
      querystring: WriteQuery,
      headers: Type.Object({ ...IF_MATCH, ...IF_NONE_MATCH }),
      body: { content: { 'application/json': { schema: ref(componentOf(kind)) } } },
      response: answers({ 200: written(kind, 'Replaced, or unchanged.'), 201: written(kind, 'Created.') }, [
        ...REFUSALS,
        ...BODY_REFUSALS,
      ]),
    },
    handler: putOne(deps, collection),
  });
}

function patchRoute(app: FastifyInstance, deps: EdgeDeps, collection: Collection): void {
  const { noun, operation, itemPath, kind } = collection;
  const schema = {
    type: 'object',
    description: 'A JSON merge patch (RFC 7396): null removes a field, lists are replaced whole.',
  };
  app.route({
    method: 'PATCH',
    url: itemPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: 'catalog.write', accepts: PATCH_TYPES },
    schema: {
      ...head(`Patch${operation.one}`, `Change a ${noun}`),
      params: itemParams(collection),
      querystring: WriteQuery,
      headers: Type.Object(IF_MATCH),
      body: { content: Object.fromEntries(PATCH_TYPES.map((type) => [type, { schema }])) },
      response: answers({ 200: written(kind, 'Changed, or unchanged.') }, ['not-found', ...REFUSALS, ...BODY_REFUSALS]),
    },
    handler: patchOne(deps, collection),
  });
}

const head = (operationId: string, summary: string): FastifySchema => ({ operationId, tags: ['catalog'], summary });

const resource = (kind: Collection['kind'], description: string) => ({
  ...json(description, ref(componentOf(kind))),
  headers: ETAG,
});

const written = (kind: Collection['kind'], description: string) => ({
  ...resource(kind, description),
  headers: { ...ETAG, 'X-Signalbox-Dry-Run': { type: 'string', description: 'true when nothing was written.' } },
});

const DELETED = Type.Object({
  name: Type.String(),
  revision: Type.Integer({ description: 'The revision that deleted it.' }),
  deleted: Type.Literal(true),
});

function itemParams({ kind, noun, idParam, parent }: Collection): TSchema {
  const own = { [idParam]: id(kind, { description: `The id of the ${noun}.` }) };
  return Type.Object(
    parent === undefined
      ? own
      : { [parent.param]: id(parent.kind, { description: `The id of the ${parent.kind}.` }), ...own },
  );
}

const listParams = ({ parent }: Collection): TSchema =>
  Type.Object({
    [parent?.param ?? '']: Type.String({ description: `The id of a ${parent?.kind}, or \`-\` for all.` }),
  });

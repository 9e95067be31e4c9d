import type { FastifyInstance, FastifyPluginCallback, FastifySchema } from 'fastify';
import { Type } from 'typebox';
import { ApiDocumentSchema, MAX_API_DOCUMENT } from '../../protocol/api-document.ts';
import { id } from '../../protocol/text.ts';
import { acceptOnly } from '../body.ts';
import { answers, BODY_REFUSALS, json, MIN_REVISION, NO_QUERY, READ_PROBLEMS, REFUSALS } from '../openapi.ts';
import { API_DOCUMENT_TYPES } from '../read-api-document.ts';
import { publish, read, VERSIONS, withdraw, type ApiDocumentDeps } from './api-document.ts';
import { WriteQuery } from './write-one.ts';

/** The OpenAPI document of a version. To the rights it is a part of the version: who may write that, may publish. */
export const apiDocumentRoutes =
  (deps: ApiDocumentDeps): FastifyPluginCallback =>
  (app, _options, done) => {
    app.register((scope, _scopeOptions, scopeDone) => {
      acceptOnly(scope, API_DOCUMENT_TYPES);
      putRoute(scope, deps);
      scopeDone();
    });
    app.register((scope, _scopeOptions, scopeDone) => {
      acceptOnly(scope, []);
      getRoute(scope, deps);
      deleteRoute(scope, deps);
      scopeDone();
    });
    done();
  };

const PATH = `${VERSIONS.itemPath}/document`;
const PARAMS = Type.Object({
  service: id('service', { description: 'The id of the service.' }),
  version: id('version', { description: 'The id of the version.' }),
});
const IF_MATCH = {
  'if-match': Type.Optional(Type.String({ description: 'The ETag that the document must have, or * for any.' })),
};
const ETAG = { ETag: { type: 'string', description: 'The SHA-256 of the document in double quotes.' } };
const DRY_RUN = { 'X-Signalbox-Dry-Run': { type: 'string', description: 'true when nothing was written.' } };
const TEXT = { type: 'object', description: 'An OpenAPI document, 3.x or 2.0.', additionalProperties: true };

const head = (operationId: string, summary: string): FastifySchema => ({ operationId, tags: ['catalog'], summary });

function putRoute(app: FastifyInstance, deps: ApiDocumentDeps): void {
  app.route({
    method: 'PUT',
    url: PATH,
    bodyLimit: MAX_API_DOCUMENT,
    config: { action: 'catalog.write', accepts: API_DOCUMENT_TYPES },
    schema: {
      ...head('PutVersionDocument', 'Publish the OpenAPI document of a version'),
      description: `${MAX_API_DOCUMENT / 1024 / 1024} MiB of JSON at most, or 256 KiB of YAML. It is kept as it comes; only \`openapi\` (or \`swagger\`), \`info.title\` and \`info.version\` are looked at, and have to be there. The version gets another revision, unless it has this very document already (REV3).`,
      params: PARAMS,
      querystring: WriteQuery,
      headers: Type.Object({
        ...IF_MATCH,
        'if-none-match': Type.Optional(Type.String({ description: '* : the version must not have a document.' })),
      }),
      body: { content: Object.fromEntries(API_DOCUMENT_TYPES.map((type) => [type, { schema: TEXT }])) },
      response: answers(
        {
          200: { ...json('Replaced, or unchanged.', PUBLISHED), headers: { ...ETAG, ...DRY_RUN } },
          201: { ...json('The version has its first document.', PUBLISHED), headers: { ...ETAG, ...DRY_RUN } },
        },
        ['not-found', ...REFUSALS, ...BODY_REFUSALS],
      ),
    },
    handler: publish(deps),
  });
}

function getRoute(app: FastifyInstance, deps: ApiDocumentDeps): void {
  app.route({
    method: 'GET',
    url: PATH,
    config: { action: 'catalog.read' },
    schema: {
      ...head('GetVersionDocument', 'Read the OpenAPI document of a version'),
      description: 'As it was published, to the byte.',
      params: PARAMS,
      querystring: NO_QUERY,
      headers: Type.Object({
        ...MIN_REVISION,
        'if-none-match': Type.Optional(Type.String({ description: 'ETags that the caller has.' })),
      }),
      response: answers(
        {
          200: {
            description: 'The document.',
            content: { 'application/json': { schema: TEXT }, 'application/yaml': { schema: { type: 'string' } } },
            headers: ETAG,
          },
          304: { description: 'The caller has it already.', headers: ETAG },
        },
        [...READ_PROBLEMS, 'store-unavailable'],
      ),
    },
    handler: read(deps),
  });
}

function deleteRoute(app: FastifyInstance, deps: ApiDocumentDeps): void {
  app.route({
    method: 'DELETE',
    url: PATH,
    // What is changed is the version.
    config: { action: 'catalog.write' },
    schema: {
      ...head('DeleteVersionDocument', 'Withdraw the OpenAPI document of a version'),
      params: PARAMS,
      querystring: WriteQuery,
      headers: Type.Object(IF_MATCH),
      response: answers({ 200: json('The version has none any more.', WITHDRAWN) }, ['not-found', ...REFUSALS]),
    },
    handler: withdraw(deps),
  });
}

const PUBLISHED = Type.Object({
  name: Type.String({ description: 'The name of the version.' }),
  revision: Type.Integer({ description: 'The revision that the version has now.' }),
  document: ApiDocumentSchema,
});

const WITHDRAWN = Type.Object({
  name: Type.String(),
  revision: Type.Integer({ description: 'The revision that withdrew it.' }),
  deleted: Type.Literal(true),
});

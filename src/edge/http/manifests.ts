import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { acceptOnly } from '../body.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, json, JsonObject, ref } from '../openapi.ts';
import { apply, ApplyQuery } from './apply.ts';
import { APPLY_PROBLEMS, READ_PROBLEMS, ReadHeaders } from './catalog.ts';
import { coverage, CoverageQuery } from './coverage.ts';
import { EXPORT_TYPES, exportManifest, ExportQuery } from './export.ts';
import { changes, ChangesQuery, readState } from './log.ts';
import { MANIFEST_TYPES } from './manifest.ts';

/** What is about many resources at once: apply, export, coverage, and the log. */
export function manifestRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.register((scope, _options, done) => {
    acceptOnly(scope, MANIFEST_TYPES);
    applyRoute(scope, deps);
    done();
  });
  app.register((scope, _options, done) => {
    acceptOnly(scope, []);
    exportRoute(scope, deps);
    coverageRoute(scope, deps);
    logRoutes(scope, deps);
    done();
  });
}

function applyRoute(app: FastifyInstance, deps: EdgeDeps): void {
  const schema = { description: 'Resources, each with its `name`, in any order.' };
  app.route({
    method: 'POST',
    url: '/v1/apply',
    bodyLimit: deps.config.applyMaxBytes,
    config: { action: 'catalog.apply', accepts: MANIFEST_TYPES },
    schema: {
      operationId: 'Apply',
      tags: ['manifests'],
      summary: 'Create and replace many resources in one revision',
      description: 'The final state is what is judged; either all of it becomes one revision or nothing changes.',
      querystring: ApplyQuery,
      body: { content: Object.fromEntries(MANIFEST_TYPES.map((type) => [type, { schema }])) },
      response: answers({ 200: json('What became of each resource.', APPLIED) }, APPLY_PROBLEMS),
    },
    handler: apply(deps),
  });
}

const count = Type.Integer();
const APPLIED = Type.Object({
  revision: Type.Integer({ description: 'The revision it became; the head when nothing changed.' }),
  dryRun: Type.Boolean(),
  summary: Type.Object({ created: count, updated: count, unchanged: count, deleted: count }),
  items: Type.Array(
    Type.Object({
      name: Type.String(),
      op: Type.Enum(['created', 'updated', 'unchanged', 'deleted']),
      changes: Type.Optional(
        Type.Array(
          Type.Object({
            path: Type.String({ description: 'JSON pointer into the resource.' }),
            before: Type.Optional(Type.Unknown()),
            after: Type.Optional(Type.Unknown()),
          }),
          { description: 'Of what is updated: the fields that change.' },
        ),
      ),
    }),
    { description: 'The documents in their order, then what was pruned and what followed from the rest.' },
  ),
  warnings: Type.Array(Type.Unsafe(ref('Warning'))),
});

function exportRoute(app: FastifyInstance, deps: EdgeDeps): void {
  const content = Object.fromEntries(
    EXPORT_TYPES.map((type) => [type, { schema: { type: type === 'application/json' ? 'array' : 'string' } }]),
  );
  app.route({
    method: 'GET',
    url: '/v1/export',
    config: { action: 'catalog.export' },
    schema: {
      operationId: 'Export',
      tags: ['manifests'],
      summary: 'The catalog as a manifest',
      description:
        'NDJSON by default; Accept chooses. Applied to the same catalog it changes nothing; applied to an empty one it makes the same catalog again, apiIds included.',
      querystring: ExportQuery,
      headers: ReadHeaders,
      response: answers({ 200: { description: 'The manifest, all of one revision.', content } }, [
        'not-acceptable',
        ...READ_PROBLEMS,
      ]),
    },
    handler: exportManifest(deps),
  });
}

function coverageRoute(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: '/v1/coverage',
    config: { action: 'coverage.read' },
    schema: {
      operationId: 'GetCoverage',
      tags: ['coverage'],
      summary: 'Services against regions: what runs where, and whether its imports are covered',
      querystring: CoverageQuery,
      headers: ReadHeaders,
      response: answers(
        {
          200: JsonObject(
            'A row for each service, a cell for each region, with the reason where an import is not covered.',
          ),
        },
        READ_PROBLEMS,
      ),
    },
    handler: coverage(deps),
  });
}

function logRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: '/v1/changes',
    config: { action: 'log.read' },
    schema: {
      operationId: 'ListChanges',
      tags: ['log'],
      summary: 'What changed since a revision',
      description: 'Whole revisions in order. Ask again with `to` as `since` while `to` is below `head`.',
      querystring: ChangesQuery,
      headers: ReadHeaders,
      response: answers({ 200: json('The changes.', CHANGES) }, ['start-over', 'store-unavailable', ...READ_PROBLEMS]),
    },
    handler: changes(deps),
  });
  app.route({
    method: 'GET',
    url: '/v1/state',
    config: { action: 'log.read' },
    schema: {
      operationId: 'GetState',
      tags: ['log'],
      summary: 'Where the log stands',
      querystring: Type.Object({}, { additionalProperties: false }),
      headers: ReadHeaders,
      response: answers({ 200: json('The head.', STATE) }, ['not-ready', 'revision-not-reached']),
    },
    handler: readState(deps),
  });
}

const EPOCH = Type.String({
  description: 'Changes when a database is restored: revisions of two epochs do not compare (REV4).',
});

const CHANGES = Type.Object({
  from: Type.Integer({ description: '`since`.' }),
  to: Type.Integer({ description: 'The last revision in the answer.' }),
  head: Type.Integer({ description: 'The last revision there is.' }),
  epoch: EPOCH,
  changes: Type.Array(
    Type.Object({
      op: Type.Enum(['put', 'delete']),
      kind: Type.String(),
      key: Type.String({ description: "The resource's name." }),
      revision: Type.Integer(),
      value: Type.Optional(Type.Unknown({ description: 'The resource; only with put.' })),
    }),
  ),
});

const STATE = Type.Object({
  epoch: EPOCH,
  revision: Type.Integer({ description: 'The last revision.' }),
  trimmed: Type.Integer({ description: 'The log holds every revision above this one.' }),
  ready: Type.Boolean(),
  resources: Type.Integer({ description: 'How many resources there are.' }),
});

import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { acceptOnly } from '../body.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, APPLY_PROBLEMS, json, READ_PROBLEMS, ReadHeaders, ref } from '../openapi.ts';
import { apply, ApplyQuery } from './apply.ts';
import { EXPORT_TYPES, exportManifest, ExportQuery } from './export.ts';
import { MANIFEST_TYPES } from './manifest.ts';

/** Many resources at once: apply and export. */
export function manifestRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.register((scope, _options, done) => {
    acceptOnly(scope, MANIFEST_TYPES);
    applyRoute(scope, deps);
    done();
  });
  app.register((scope, _options, done) => {
    acceptOnly(scope, []);
    exportRoute(scope, deps);
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
        'NDJSON by default; Accept chooses. Applied to the same catalog it changes nothing; applied to an empty one it makes the same catalog again, apiIds included and API documents left out.',
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

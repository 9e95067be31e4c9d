import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import type { Outcome } from '../../domain/command.ts';
import type { OverrideTarget } from '../../domain/instances/edits.ts';
import { NO_REGION } from '../../domain/names.ts';
import { fromRefusal, Problem } from '../../protocol/problem.ts';
import { etagOf, REVISION_HEADER, sendJson } from '../answers.ts';
import { acceptOnly, JSON_BODY, jsonOf } from '../body.ts';
import type { EdgeDeps } from '../deps.ts';
import { askedBy } from '../origin.ts';
import {
  answers,
  BODY_REFUSALS,
  ETAG,
  extended,
  json,
  LIST_PROBLEMS,
  NO_QUERY,
  pageOf,
  READ_PROBLEMS,
  ReadHeaders,
  ref,
  RUNTIME_REFUSALS,
} from '../openapi.ts';
import {
  checkId,
  INSTANCE_OVERRIDE,
  nameIn,
  OVERRIDES,
  REGION_OVERRIDE,
  type Collection,
  type PathParams,
} from './collections.ts';
import { INSTANCE_PARAMS } from './instances.ts';
import { list, ListQuery } from './list.ts';
import { readOne } from './read-one.ts';
import { WriteQuery } from './write-one.ts';

/** Where an override is, and what it is about. */
interface Place {
  readonly collection: Collection;
  readonly about: string;
  readonly body: string;
  readonly params: ReturnType<typeof Type.Object>;
  /** Throws a `Problem` when the path cannot be one. */
  readonly targetOf: (params: PathParams) => OverrideTarget;
}

const OF_INSTANCE: Place = {
  collection: INSTANCE_OVERRIDE,
  about: 'an instance',
  body: 'InstanceOverride',
  params: INSTANCE_PARAMS,
  targetOf: (params) => {
    checkId('instance', 'instance', params);
    return { instance: params['instance'] ?? '' };
  },
};

const OF_REGION: Place = {
  collection: REGION_OVERRIDE,
  about: 'the instances of a service in a region',
  body: 'RegionOverride',
  params: Type.Object({
    service: Type.String({ description: 'The id of the service, which need not be in the catalog.' }),
    region: Type.String({ description: 'The id of the region, or `-` for the instances that name none.' }),
  }),
  targetOf: (params) => {
    const { service = '', region = '' } = params;
    checkId('service', 'service', params);
    if (region !== NO_REGION) checkId('region', 'region', params);
    return { service, region };
  },
};

/** `PUT` and, with no body to set, `DELETE`. */
function write(
  deps: Pick<EdgeDeps, 'instances'>,
  { collection, targetOf }: Place,
  bodyOf: (request: FastifyRequest) => unknown,
) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const params = request.params as PathParams;
    const target = targetOf(params);
    const dryRun = (request.query as Static<typeof WriteQuery>).dryRun === true;
    const verdict = await deps.instances.override(request.caller, target, bodyOf(request), {
      dryRun,
      ...askedBy(request),
    });
    if (!verdict.ok) throw fromRefusal(verdict.refusal);
    if (dryRun) reply.header('x-signalbox-dry-run', 'true');
    else reply.header(REVISION_HEADER, verdict.revision);
    return answer(reply, nameIn(collection, params), verdict.outcomes, verdict.revision);
  };
}

function answer(reply: FastifyReply, name: string, outcomes: readonly Outcome[], revision: number): FastifyReply {
  const outcome = outcomes.find((candidate) => candidate.name === name);
  const affected = outcomes.filter(({ op, after }) => op === 'updated' && after?.kind === 'instance').length;
  const after = outcome?.after;
  if (after !== undefined) {
    if (outcome?.op === 'created') reply.code(201).header('location', `/v1/${name}`);
    return sendJson(reply.header('etag', etagOf(after.revision)), `${after.json.slice(0, -1)},"affected":${affected}}`);
  }
  if (outcome?.op !== 'deleted')
    throw new Problem('not-found', `There is no override ${JSON.stringify(name)} to lift.`);
  return sendJson(reply, JSON.stringify({ name, revision, deleted: true, affected }));
}

/** What operators set for instances; it outlives them (INS5). */
export function overrideRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.register((scope, _options, done) => {
    acceptOnly(scope, []);
    listRoute(scope, deps);
    for (const place of [OF_INSTANCE, OF_REGION]) {
      readRoute(scope, deps, place);
      deleteRoute(scope, deps, place);
    }
    done();
  });
  app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY);
    for (const place of [OF_INSTANCE, OF_REGION]) putRoute(scope, deps, place);
    done();
  });
}

function listRoute(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: OVERRIDES.listPath,
    config: { action: 'instance.read' },
    schema: {
      ...head('ListOverrides', 'List overrides'),
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json('A page of overrides, in order.', pageOf('Override')) }, LIST_PROBLEMS),
    },
    handler: list(deps, OVERRIDES),
  });
}

function readRoute(app: FastifyInstance, deps: EdgeDeps, { collection, about, params }: Place): void {
  app.route({
    method: 'GET',
    url: collection.itemPath,
    config: { action: 'instance.read' },
    schema: {
      ...head(`Get${collection.operation.one}`, `Read the override of ${about}`),
      params,
      querystring: NO_QUERY,
      headers: ReadHeaders,
      response: answers({ 200: { ...json('The override.', ref('Override')), headers: ETAG } }, READ_PROBLEMS),
    },
    handler: readOne(deps, collection),
  });
}

function putRoute(app: FastifyInstance, deps: EdgeDeps, place: Place): void {
  const { collection, about, params, body } = place;
  app.route({
    method: 'PUT',
    url: collection.itemPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: 'instance.override', accepts: JSON_BODY },
    schema: {
      ...head(`Put${collection.operation.one}`, `Drain ${about}, take them out of service, or set their weight`),
      description:
        'It stays until it is lifted: over restarts of Signalbox, and when instances register again (INS5). Where an instance and its region set the same, the instance counts.',
      params,
      querystring: WriteQuery,
      body: { content: { 'application/json': { schema: ref(body) } } },
      response: answers({ 200: written('Replaced, or unchanged.'), 201: written('Set.') }, [
        'not-found',
        ...RUNTIME_REFUSALS,
        ...BODY_REFUSALS,
      ]),
    },
    handler: write(deps, place, jsonOf),
  });
}

function deleteRoute(app: FastifyInstance, deps: EdgeDeps, place: Place): void {
  const { collection, about, params } = place;
  app.route({
    method: 'DELETE',
    url: collection.itemPath,
    config: { action: 'instance.override' },
    schema: {
      ...head(`Delete${collection.operation.one}`, `Lift the override of ${about}`),
      params,
      querystring: WriteQuery,
      response: answers({ 200: json('It is lifted.', LIFTED) }, ['not-found', ...RUNTIME_REFUSALS]),
    },
    handler: write(deps, place, () => undefined),
  });
}

const head = (operationId: string, summary: string): FastifySchema => ({ operationId, tags: ['instances'], summary });

const AFFECTED = Type.Integer({ description: 'How many instances the write changes.' });

const written = (description: string) => ({
  ...json(description, extended('override', { affected: AFFECTED })),
  headers: { ...ETAG, 'X-Signalbox-Dry-Run': { type: 'string', description: 'true when nothing was written.' } },
});

const LIFTED = Type.Object({
  name: Type.String(),
  revision: Type.Integer({ description: 'The revision that lifted it.' }),
  deleted: Type.Literal(true),
  affected: AFFECTED,
});

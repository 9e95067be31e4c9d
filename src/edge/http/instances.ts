import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import { regionOf } from '../../domain/instances/build.ts';
import type { Instance } from '../../domain/instances/instance.ts';
import type { Item } from '../../domain/item.ts';
import { deploymentOf } from '../../domain/lookup.ts';
import { instanceName } from '../../domain/names.ts';
import { fromRefusal, Problem } from '../../protocol/problem.ts';
import { leaseOf } from '../../registry/instances.ts';
import { REVISION_HEADER, sendJson } from '../answers.ts';
import { acceptOnly, JSON_BODY, jsonOf } from '../body.ts';
import type { EdgeDeps } from '../deps.ts';
import { askedBy } from '../origin.ts';
import {
  answers,
  BODY_REFUSALS,
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
import { seenBy } from '../seen.ts';
import { DEPLOYMENT, GUARD, REPORT } from './instance-report.ts';
import { checkIds, INSTANCES, type PathParams } from './collections.ts';
import { list, ListQuery } from './list.ts';
import { dryRun, WriteQuery } from './write-one.ts';

const DeregisterQuery = Type.Object(
  {
    generation: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Only the instance of this generation, and no later one (INS6).' }),
    ),
    dryRun,
  },
  { additionalProperties: false },
);

type InstanceParams = PathParams & { readonly instance: string };

/** `POST /v1/instances`. */
function register({ instances }: Pick<EdgeDeps, 'instances'>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const query = request.query as Static<typeof WriteQuery>;
    const body = jsonOf(request);
    request.bodyService = serviceIn(body);
    const outcome = await instances.register(request.caller, body, { ...query, ...askedBy(request) });
    if (!outcome.ok) throw fromRefusal(outcome.refusal);
    const { id, created, item, revision } = outcome.value;
    if (created) reply.code(201).header('location', `/v1/${item.name}`);
    if (query.dryRun === true) reply.header('x-signalbox-dry-run', 'true');
    else reply.header(REVISION_HEADER, revision);
    const { name, value } = item;
    const head = JSON.stringify({ id, name, generation: value.generation, revision, ...leaseOf(value) });
    return sendJson(reply, `${head.slice(0, -1)},"instance":${item.json}}`);
  };
}

function serviceIn(body: unknown): string | undefined {
  const service = (body as { readonly service?: unknown } | null)?.service;
  return typeof service === 'string' ? service : undefined;
}

/** `DELETE /v1/instances/{instance}`. */
function deregister({ instances }: Pick<EdgeDeps, 'instances'>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { instance } = request.params as InstanceParams;
    const { generation, ...options } = request.query as Static<typeof DeregisterQuery>;
    checkIds(INSTANCES, request.params as PathParams);
    const asking = { ...options, ...askedBy(request) };
    const outcome = await instances.deregister(request.caller, instance, generation, asking);
    if (!outcome.ok) throw fromRefusal(outcome.refusal);
    const { revision, existed } = outcome.value;
    if (!existed) {
      const which = generation === undefined ? instance : `${instance} of generation ${generation}`;
      throw new Problem('not-found', `There is no instance ${which}: it is gone already.`);
    }
    if (options.dryRun === true) reply.header('x-signalbox-dry-run', 'true');
    else reply.header(REVISION_HEADER, revision);
    return sendJson(reply, JSON.stringify({ name: instanceName(instance), revision, deleted: true }));
  };
}

/** `GET /v1/instances/{instance}`: without an ETag, since what the checks say changes without a revision (REV3). */
function read({ state, monitoring }: Pick<EdgeDeps, 'state' | 'monitoring'>) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { instance } = request.params as InstanceParams;
    const item = seenBy(request, state).get(instanceName(instance));
    if (item?.kind !== 'instance') {
      throw new Problem('not-found', `There is no instance ${JSON.stringify(instance.slice(0, 80))}.`);
    }
    const more = JSON.stringify({
      report: monitoring.report(instance),
      deployment: deploymentName(state, item),
      guard: guardOf(monitoring, item.value),
    });
    sendJson(reply, more === '{}' ? item.json : `${item.json.slice(0, -1)},${more.slice(1)}`);
  };
}

function deploymentName({ view }: EdgeDeps['state'], { value }: Item<'instance'>): string | undefined {
  return value.region === undefined ? undefined : deploymentOf(view, value.service, value.region)?.name;
}

const guardOf = (monitoring: EdgeDeps['monitoring'], instance: Instance) =>
  monitoring.guards().find((guard) => guard.service === instance.service && guard.region === regionOf(instance));

/** Registering, reading and deregistering instances. */
export function instanceRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY);
    registerRoute(scope, deps);
    done();
  });
  app.register((scope, _options, done) => {
    acceptOnly(scope, []);
    readRoutes(scope, deps);
    deregisterRoute(scope, deps);
    done();
  });
}

function registerRoute(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'POST',
    url: INSTANCES.listPath,
    bodyLimit: deps.config.bodyMaxBytes,
    config: { action: 'instance.register', accepts: JSON_BODY },
    schema: {
      ...head('RegisterInstance', 'Register an instance'),
      description:
        'The same identity is the same instance, with the same id, however often it registers. What says nothing new makes no revision (REV3) and renews the lease. The service need not be in the catalog, unless REGISTRATION=catalog.',
      querystring: WriteQuery,
      body: { content: { 'application/json': { schema: ref('Registration') } } },
      response: answers({ 200: json('It was there already.', REGISTERED), 201: json('It is there now.', REGISTERED) }, [
        ...RUNTIME_REFUSALS,
        ...BODY_REFUSALS,
      ]),
    },
    handler: register(deps),
  });
}

function readRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: INSTANCES.listPath,
    config: { action: 'instance.read' },
    schema: {
      ...head('ListInstances', 'List instances'),
      description: 'Of all services. What callers ask for is `/v1/services/{service}/instances`, which is faster.',
      querystring: ListQuery,
      headers: ReadHeaders,
      response: answers({ 200: json('A page of instances, in order.', pageOf('Instance')) }, LIST_PROBLEMS),
    },
    handler: list(deps, INSTANCES),
  });
  app.route({
    method: 'GET',
    url: INSTANCES.itemPath,
    config: { action: 'instance.read' },
    schema: {
      ...head('GetInstance', 'Read an instance, and how it is'),
      params: INSTANCE_PARAMS,
      querystring: NO_QUERY,
      headers: ReadHeaders,
      response: answers({ 200: json('The instance, and what its checks have found.', DETAIL) }, READ_PROBLEMS),
    },
    handler: read(deps),
  });
}

function deregisterRoute(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'DELETE',
    url: INSTANCES.itemPath,
    config: { action: 'instance.register' },
    schema: {
      ...head('DeregisterInstance', 'Deregister an instance'),
      description:
        'For when an instance shuts down; its watchers are told at once. Of one that is not there, or of another generation, it is a 404, which means that it is gone already: a shutdown may take that for success. Overrides stay (INS5).',
      params: INSTANCE_PARAMS,
      querystring: DeregisterQuery,
      response: answers({ 200: json('It is gone.', DELETED) }, ['not-found', ...RUNTIME_REFUSALS]),
    },
    handler: deregister(deps),
  });
}

const head = (operationId: string, summary: string): FastifySchema => ({ operationId, tags: ['instances'], summary });

export const INSTANCE_PARAMS = Type.Object({
  instance: Type.String({ description: 'The id of the instance: 24 hexadecimal digits.' }),
});

const REGISTERED = Type.Object({
  id: Type.String({ description: 'Made of the identity, so always the same for the same instance.' }),
  name: Type.String({ description: 'The path of the instance under `/v1`.' }),
  generation: Type.Integer({
    description: 'The revision at which it came to be; to be sent with renewals and when it deregisters.',
  }),
  revision: Type.Integer({ description: 'The revision at which the answer holds.' }),
  lease: Type.Optional(
    Type.String({
      description: 'With a `ttl` check: it has to be renewed at the latest every so often.',
      examples: ['30s'],
    }),
  ),
  detectionBound: Type.String({
    description: 'The longest time from its death to the moment its watchers were told (INS1).',
    examples: ['31s'],
  }),
  instance: Type.Unsafe(ref('Instance')),
});

const DETAIL = extended('instance', { report: REPORT, deployment: DEPLOYMENT, guard: GUARD });

const DELETED = Type.Object({
  name: Type.String(),
  revision: Type.Integer({ description: 'The revision that removed it.' }),
  deleted: Type.Literal(true),
});

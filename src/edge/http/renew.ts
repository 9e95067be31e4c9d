import { Type } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { authorize } from '../../auth/authorize.ts';
import { ID_PATTERNS, instanceName } from '../../domain/names.ts';
import { Problem } from '../../protocol/problem.ts';
import { PATTERN_IN_WORDS } from '../../protocol/text.ts';
import { sendJson } from '../answers.ts';
import { acceptOnly, JSON_BODY, jsonOf } from '../body.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, BODY_REFUSALS, json, NO_QUERY } from '../openapi.ts';
import { seenBy } from '../seen.ts';
import { INSTANCE_PARAMS } from './instances.ts';

const MAX_RENEWALS = 10_000;
/** Room for a generation. */
const MAX_BYTES = 1024;
/** Room for so many ids with their generations, however they are indented. */
const MAX_BULK_BYTES = 2 * 1024 * 1024;

type Renewing = Pick<EdgeDeps, 'monitoring' | 'state'>;

/** `POST /v1/instances/{instance}/renew`: every instance sends it all the time, so it does as little as it can. */
function renew({ monitoring, state }: Renewing) {
  return (request: FastifyRequest, reply: FastifyReply): void | Promise<void> => {
    requireLeases(monitoring);
    const { instance } = request.params as { readonly instance: string };
    const isThere = seenBy(request, state).get(instanceName(instance)) !== undefined;
    const generation = isThere && hasBody(request) ? generationIn(jsonOf(request), '') : undefined;
    const renewed = isThere && monitoring.renew(instance, generation);
    if (typeof renewed === 'boolean') return answer(renewed, instance, reply);
    return renewed.then((stored) => answer(stored, instance, reply));
  };
}

function answer(renewed: boolean, instance: string, reply: FastifyReply): void {
  if (!renewed)
    throw new Problem('not-found', `There is no instance ${JSON.stringify(instance.slice(0, 80))}, ${AGAIN}`);
  reply.code(204).send();
}

const AGAIN = 'or it is of another generation: register it again with POST /v1/instances.';

/** `POST /v1/instances/renew`: the leases of many, for agents that keep them for others. */
function renewMany({ monitoring, state }: Renewing) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    requireLeases(monitoring);
    const renewals = renewalsIn(jsonOf(request));
    const seen = seenBy(request, state);
    const asked = renewals.map(({ id, generation }) => {
      const target = { name: instanceName(id) };
      const { allowed } = authorize(request.caller, 'instance.register', target, state.view);
      return allowed && seen.get(target.name) !== undefined && monitoring.renew(id, generation);
    });
    const isAnswered = asked.every((each) => typeof each === 'boolean');
    const renewed = isAnswered ? asked : await Promise.all(asked.map((each) => Promise.resolve(each)));
    const unknown = renewals.filter((_, i) => renewed[i] !== true).map(({ id }) => id);
    return sendJson(reply, JSON.stringify({ renewed: renewals.length - unknown.length, unknown }));
  };
}

function requireLeases({ enabled }: EdgeDeps['monitoring']): void {
  if (!enabled) {
    throw new Problem(
      'health-checks-off',
      'This node keeps no leases (HEALTH_CHECKS=off); renew at the one that does.',
    );
  }
}

const hasBody = ({ body }: FastifyRequest): boolean => Buffer.isBuffer(body) && body.length > 0;

interface Renewal {
  readonly id: string;
  readonly generation: number | undefined;
}

const ID = new RegExp(ID_PATTERNS.instance);

function renewalsIn(body: unknown): Renewal[] {
  const { instances } = objectAt(body, '', ['instances']);
  if (!Array.isArray(instances))
    throw invalid('/instances', 'must be an array of ids, or of objects with id and generation');
  if (instances.length > MAX_RENEWALS) throw invalid('/instances', `must have at most ${MAX_RENEWALS} entries`);
  return instances.map((entry: unknown, i): Renewal => {
    const pointer = `/instances/${i}`;
    if (typeof entry === 'string') return { id: idAt(entry, pointer), generation: undefined };
    const { id } = objectAt(entry, pointer, ['id', 'generation']);
    return { id: idAt(id, `${pointer}/id`), generation: generationIn(entry, pointer, ['id', 'generation']) };
  });
}

function idAt(id: unknown, pointer: string): string {
  if (typeof id === 'string' && ID.test(id)) return id;
  throw invalid(pointer, PATTERN_IN_WORDS.get(ID_PATTERNS.instance) ?? '');
}

function generationIn(body: unknown, pointer: string, known: readonly string[] = ['generation']): number | undefined {
  const { generation } = objectAt(body, pointer, known);
  if (generation === undefined || Number.isSafeInteger(generation)) return generation as number | undefined;
  throw invalid(`${pointer}/generation`, 'must be an integer: the one that the registration was answered with');
}

function objectAt(value: unknown, pointer: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(pointer, 'must be an object');
  for (const field in value) {
    if (known.includes(field)) continue;
    throw invalid(pointer, `${JSON.stringify(field.slice(0, 80))} is not known here; known: ${known.join(', ')}`);
  }
  return value as Readonly<Record<string, unknown>>;
}

const invalid = (pointer: string, detail: string): Problem =>
  new Problem('invalid', { detail: `${pointer} ${detail}`.trim(), errors: [{ pointer, detail }] });

/** Renewing leases: of one instance, and of many. */
export function renewRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY);
    acceptNothingAsAnything(scope);
    renewRoute(scope, deps);
    done();
  });
  app.register((scope, _options, done) => {
    acceptOnly(scope, JSON_BODY);
    renewManyRoute(scope, deps);
    done();
  });
}

/** Many clients name a type although they send nothing. */
function acceptNothingAsAnything(scope: FastifyInstance): void {
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BYTES }, (_request, body, done) => {
    done(body.length === 0 ? null : new Problem('unsupported-media-type', 'Send application/json, or no body.'));
  });
}

function renewRoute(app: FastifyInstance, deps: Renewing): void {
  app.route({
    method: 'POST',
    url: '/v1/instances/:instance/renew',
    bodyLimit: MAX_BYTES,
    config: { action: 'instance.register', accepts: JSON_BODY },
    schema: {
      operationId: 'RenewInstance',
      tags: ['instances'],
      summary: 'Renew the lease of an instance',
      description:
        'Makes no revision (REV3), unless the instance was critical. A 404 means that it has to register again. Without a body whichever generation is there is renewed.',
      params: INSTANCE_PARAMS,
      querystring: NO_QUERY,
      body: { content: { 'application/json': { schema: Type.Object({ generation: Type.Optional(GENERATION) }) } } },
      response: answers({ 204: { description: 'Renewed.' } }, ['not-found', ...PROBLEMS]),
    },
    handler: renew(deps),
  });
}

function renewManyRoute(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'POST',
    url: '/v1/instances/renew',
    bodyLimit: MAX_BULK_BYTES,
    config: { action: 'instance.register', accepts: JSON_BODY },
    schema: {
      operationId: 'RenewInstances',
      tags: ['instances'],
      summary: 'Renew the leases of many instances',
      description: 'For agents that keep the leases of others. Each is renewed or not, whatever becomes of the rest.',
      querystring: NO_QUERY,
      body: { content: { 'application/json': { schema: RENEWALS } } },
      response: answers({ 200: json('What became of them.', RENEWED) }, PROBLEMS),
    },
    handler: renewMany(deps),
  });
}

const PROBLEMS = ['invalid', 'health-checks-off', 'leases-unavailable', 'not-ready', ...BODY_REFUSALS] as const;

const GENERATION = Type.Integer({ description: 'Only of this generation, as the registration was answered (INS6).' });
const INSTANCE_ID = Type.String({ pattern: ID_PATTERNS.instance });

const RENEWALS = Type.Object({
  instances: Type.Array(
    Type.Union([INSTANCE_ID, Type.Object({ id: INSTANCE_ID, generation: Type.Optional(GENERATION) })]),
    { maxItems: MAX_RENEWALS, description: 'Ids, or ids with generations.' },
  ),
});

const RENEWED = Type.Object({
  renewed: Type.Integer({ description: 'How many were renewed.' }),
  unknown: Type.Array(Type.String(), { description: 'The ids of those that have to register again.' }),
});

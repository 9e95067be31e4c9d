import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { children } from '../../domain/indexes.ts';
import { regionOf } from '../../domain/instances/build.ts';
import type { Instance } from '../../domain/instances/instance.ts';
import type { AnyItem } from '../../domain/item.ts';
import { ID_PATTERNS, NO_REGION } from '../../domain/names.ts';
import type { Labels } from '../../domain/resources.ts';
import { badParameter } from '../../protocol/problem.ts';
import { API_ID, BUILD, id, PATTERN_IN_WORDS, PROTOCOL_NAME } from '../../protocol/text.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, json, LIST_PROBLEMS, ReadHeaders, ref } from '../openapi.ts';
import { seenBy } from '../seen.ts';
import { checkId, type PathParams } from './collections.ts';
import { KeptAnswers } from './kept-answers.ts';
import { parseLabels } from './labels-parameter.ts';

const one = (description: string) => Type.Optional(Type.String({ maxLength: 253, description }));

const DiscoveryQuery = Type.Object(
  {
    passing: Type.Optional(
      Type.Boolean({ description: 'true: only those to be called. false: only the others. Left out: all.' }),
    ),
    environment: one('Only in this environment; empty for those without one.'),
    version: one('Only of this version; empty for those without one.'),
    region: one('Only in this region; `-` for those without one.'),
    protocol: one('Only those that speak this.'),
    tag: Type.Optional(
      Type.String({
        description: 'Only what carries all of these tags. A value with a comma can be asked for on `/v1/instances`.',
        examples: ['zone=a,canary=true'],
      }),
    ),
  },
  { additionalProperties: false },
);

type Query = Static<typeof DiscoveryQuery>;

/**
 * `GET /v1/services/{service}/instances`: what callers ask most. The view makes a new array when anything in it changes,
 * so that what was answered for the array before stays right until then.
 */
function discover({ state }: Pick<EdgeDeps, 'state'>) {
  const kept = new KeptAnswers();
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { service = '' } = request.params as PathParams;
    checkId('service', 'service', request.params as PathParams);
    const items = seenBy(request, state).sorted(children('instance', service));
    const { url } = request;
    const question = url.indexOf('?');
    const key = question === -1 ? '' : url.slice(question);
    const answer = kept.get(items, key, state.head.revision, () => encode(items, request.query as Query));
    sendJson(reply, answer);
  };
}

/** All but the revision and the closing brace. */
function encode(items: readonly AnyItem[], query: Query): string {
  checkValues(query);
  const tags = query.tag === undefined ? undefined : parseLabels('tag', query.tag);
  const found: string[] = [];
  for (const item of items) {
    if (item.kind === 'instance' && isWanted(item.value, query, tags)) found.push(item.json);
  }
  return `{"items":[${found.join(',')}],"revision":`;
}

const PATTERNS = { environment: API_ID, version: BUILD, region: ID_PATTERNS.region, protocol: PROTOCOL_NAME } as const;
const REGEXPS = Object.entries(PATTERNS).map(([name, pattern]) => [name, pattern, new RegExp(pattern)] as const);
const WITHOUT: Readonly<Record<string, string>> = { environment: '', version: '', region: NO_REGION };

/** What no instance can have is a mistake, and not an empty answer. */
function checkValues(query: Query): void {
  for (const [name, pattern, regexp] of REGEXPS) {
    const value = query[name as keyof typeof PATTERNS];
    if (value === undefined || value === WITHOUT[name] || regexp.test(value)) continue;
    throw badParameter(name, `${JSON.stringify(value.slice(0, 80))} ${PATTERN_IN_WORDS.get(pattern) ?? ''}`);
  }
}

function isWanted(instance: Instance, query: Query, tags: Labels | undefined): boolean {
  const { passing, environment, version, region, protocol } = query;
  if (passing !== undefined && instance.passing !== passing) return false;
  if (environment !== undefined && (instance.environment ?? '') !== environment) return false;
  if (version !== undefined && (instance.version ?? '') !== version) return false;
  if (region !== undefined && regionOf(instance) !== region) return false;
  if (protocol !== undefined && instance.protocol !== protocol) return false;
  for (const key in tags) if (!Object.hasOwn(instance.tags, key) || instance.tags[key] !== tags[key]) return false;
  return true;
}

/** Where a service can be called. */
export function discoveryRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: '/v1/services/:service/instances',
    config: { action: 'instance.read' },
    schema: {
      operationId: 'DiscoverInstances',
      tags: ['discovery'],
      summary: 'Find the instances of a service',
      description:
        'All that match, in order of name; `passing=true` for those to be called. A service that nobody has registered or put into the catalog yet has no instances: that is no error, since callers may start before what they call. To be told of every change, watch instead of asking again.',
      params: Type.Object({ service: id('service', { description: 'The id of the service.' }) }),
      querystring: DiscoveryQuery,
      headers: ReadHeaders,
      response: answers({ 200: json('The instances.', FOUND) }, LIST_PROBLEMS),
    },
    handler: discover(deps),
  });
}

const FOUND = {
  type: 'object',
  required: ['items', 'revision'],
  properties: {
    items: { type: 'array', items: ref('Instance') },
    revision: { type: 'integer', description: 'The revision at which they were read.' },
  },
};

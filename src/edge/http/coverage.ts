import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { coverageMatrix } from '../../domain/coverage-matrix.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { seenBy } from '../seen.ts';
import { answers, json, READ_PROBLEMS, ReadHeaders } from '../openapi.ts';

const CoverageQuery = Type.Object(
  {
    service: Type.Optional(Type.String({ maxLength: 253, description: 'Only this service.' })),
    region: Type.Optional(
      Type.String({ maxLength: 63, description: 'Only this region; `-` for instances without one.' }),
    ),
  },
  { additionalProperties: false },
);

/** `GET /v1/coverage`: services against regions. */
function coverage({ state }: Pick<EdgeDeps, 'state'>) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const query = request.query as Static<typeof CoverageQuery>;
    const { view, head } = state;
    const matrix = coverageMatrix(view, query, seenBy(request, state));
    if ('unknown' in matrix) {
      throw new Problem('not-found', `There is no ${matrix.unknown} ${JSON.stringify(query[matrix.unknown])}.`);
    }
    sendJson(reply, JSON.stringify({ ...matrix, revision: head.revision }));
  };
}

/** Answered from the view in one piece. */
export function coverageRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: '/v1/coverage',
    config: { action: 'coverage.read' },
    schema: {
      operationId: 'GetCoverage',
      tags: ['coverage'],
      summary: 'Services against regions: what is deployed where, whether its imports are covered, and whether it runs',
      querystring: CoverageQuery,
      headers: ReadHeaders,
      response: answers(
        {
          200: json(
            'A row for each service, a cell for each region, with the reason where an import is not covered.',
            COVERAGE,
          ),
        },
        READ_PROBLEMS,
      ),
    },
    handler: coverage(deps),
  });
}

const COUNT = Type.Object({ total: Type.Integer(), passing: Type.Integer() });

const CELL = Type.Object(
  {
    deployed: Type.Boolean(),
    disabled: Type.Optional(Type.Boolean({ description: 'Where it is deployed.' })),
    currentVersion: Type.Optional(Type.String({ description: 'Where it is deployed.' })),
    covered: Type.Optional(
      Type.Boolean({ description: 'Where it is deployed: whether every import of every version served is covered.' }),
    ),
    newestVersion: Type.Optional(Type.String({ description: 'Where it is not deployed: what would be.' })),
    deployable: Type.Optional(
      Type.Boolean({ description: 'Where it is not deployed: whether all that it imports is there.' }),
    ),
    imports: Type.Array(
      Type.Object({
        version: Type.String({ description: "The importing service's own version." }),
        service: Type.String({ description: '`-` for one that the caller may not see.' }),
        importedVersion: Type.String(),
        covered: Type.Boolean(),
        reason: Type.Optional(Type.String({ description: 'Why it is not covered.' })),
      }),
    ),
    instances: COUNT,
    live: Type.Boolean({ description: 'Whether an instance is passing there.' }),
  },
  { description: 'A service in a region.' },
);

const PLACE = { service: Type.String(), region: Type.String() };

const COVERAGE = Type.Object({
  services: Type.Array(
    Type.Object({
      service: Type.String(),
      primaryRegion: Type.String(),
      regions: Type.Unsafe({ type: 'object', additionalProperties: CELL }),
    }),
  ),
  deployedWithoutLiveInstance: Type.Array(Type.Object(PLACE), {
    description: 'Where a service is deployed and not disabled, and no instance is passing.',
  }),
  liveWithoutDeployment: Type.Array(
    Type.Object({
      ...PLACE,
      instances: COUNT,
      inCatalog: Type.Boolean({ description: 'Whether the catalog has the service at all.' }),
    }),
    {
      description:
        'Where instances are passing although the catalog has no such deployment; `-` for those without a region.',
    },
  ),
  revision: Type.Integer({ description: 'The revision at which it was read.' }),
});

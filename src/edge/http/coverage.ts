import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { coverageMatrix, type CoverageRow } from '../../domain/coverage-matrix.ts';
import { regionName } from '../../domain/names.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, JsonObject, READ_PROBLEMS, ReadHeaders } from '../openapi.ts';

const CoverageQuery = Type.Object(
  {
    service: Type.Optional(Type.String({ maxLength: 253, description: 'Only this service.' })),
    region: Type.Optional(Type.String({ maxLength: 63, description: 'Only this region.' })),
  },
  { additionalProperties: false },
);

/** `GET /v1/coverage`: services against regions. */
function coverage({ state }: Pick<EdgeDeps, 'state'>) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { service, region } = request.query as Static<typeof CoverageQuery>;
    const { view, head } = state;
    const matrix = coverageMatrix(view, service);
    if (matrix === undefined) throw new Problem('not-found', `There is no service ${JSON.stringify(service)}.`);
    if (region !== undefined && view.get(regionName(region))?.kind !== 'region') {
      throw new Problem('not-found', `There is no region ${JSON.stringify(region)}.`);
    }
    const services = region === undefined ? matrix : matrix.map((row) => only(row, region));
    sendJson(reply, JSON.stringify({ services, revision: head.revision }));
  };
}

function only(row: CoverageRow, region: string): CoverageRow {
  const cell = row.regions[region];
  return { ...row, regions: cell === undefined ? {} : { [region]: cell } };
}

/** Answered from the view in one piece: `{services, revision}`. */
export function coverageRoutes(app: FastifyInstance, deps: EdgeDeps): void {
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

import { Type, type Static } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { coverageMatrix, type CoverageRow } from '../../domain/coverage-matrix.ts';
import { regionName } from '../../domain/names.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';

export const CoverageQuery = Type.Object(
  {
    service: Type.Optional(Type.String({ maxLength: 253, description: 'Only this service.' })),
    region: Type.Optional(Type.String({ maxLength: 63, description: 'Only this region.' })),
  },
  { additionalProperties: false },
);

/** `GET /v1/coverage`: services against regions. */
export function coverage({ state }: Pick<EdgeDeps, 'state'>) {
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

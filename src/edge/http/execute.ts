import type { FastifyRequest } from 'fastify';
import type { CatalogCommand } from '../../domain/command.ts';
import { fromRefusal } from '../../protocol/problem.ts';
import type { EdgeDeps, Result } from '../deps.ts';
import { askedBy } from '../origin.ts';

export type Accepted = Extract<Result, { ok: true }>;

/** Carries out what a request wishes. Throws a refusal as a `Problem`. */
export async function execute(
  { registry, clock }: Pick<EdgeDeps, 'registry' | 'clock'>,
  request: FastifyRequest,
  wish: Omit<CatalogCommand, 'caller' | 'origin' | 'trace' | 'at'>,
  dryRun: boolean,
): Promise<Accepted> {
  const result = await registry.execute(
    { caller: request.caller, ...askedBy(request), at: clock(), ...wish },
    { dryRun },
  );
  if (!result.ok) throw fromRefusal(result.refusal);
  return result;
}

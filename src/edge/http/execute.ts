import type { Caller, CatalogCommand } from '../../domain/command.ts';
import { fromRefusal } from '../../protocol/problem.ts';
import type { EdgeDeps, Result } from '../deps.ts';

export type Accepted = Extract<Result, { ok: true }>;

/** Throws a refusal as a `Problem`. */
export async function execute(
  { registry, clock }: Pick<EdgeDeps, 'registry' | 'clock'>,
  caller: Caller,
  wish: Omit<CatalogCommand, 'caller' | 'at'>,
  dryRun: boolean,
): Promise<Accepted> {
  const result = await registry.execute({ caller, at: clock(), ...wish }, { dryRun });
  if (!result.ok) throw fromRefusal(result.refusal);
  return result;
}

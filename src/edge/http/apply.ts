import { Type, type Static } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Outcome } from '../../domain/command.ts';
import { badParameter, Problem } from '../../protocol/problem.ts';
import { REVISION_HEADER, sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { diff, type FieldChange } from './diff.ts';
import { execute, type Accepted } from './execute.ts';
import { LABELS_EXAMPLE, parseLabels } from './labels-parameter.ts';
import { placeErrors, readManifest, type Manifest } from './manifest.ts';
import { dryRun } from './write-one.ts';

export const ApplyQuery = Type.Object(
  {
    dryRun,
    prune: Type.Optional(
      Type.String({
        description:
          'Labels, all of which a resource has to carry: what carries them and is not in the body is deleted.',
        examples: [LABELS_EXAMPLE],
      }),
    ),
  },
  { additionalProperties: false },
);

interface ItemAnswer {
  readonly name: string;
  readonly op: Outcome['op'];
  /** Of what is updated: the fields that change. */
  readonly changes?: readonly FieldChange[];
}

/** `POST /v1/apply`: many resources in one revision, or none of them. */
export function apply(deps: EdgeDeps) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const query = request.query as Static<typeof ApplyQuery>;
    const isDryRun = query.dryRun === true;
    const prune = query.prune === undefined ? undefined : parseLabels('prune', query.prune);
    const manifest = await readManifest(request);
    if (manifest.edits.length === 0 && prune !== undefined) {
      throw badParameter(
        'prune',
        'with no documents would delete everything with these labels; send at least one document',
      );
    }
    const accepted =
      manifest.edits.length === 0
        ? nothingOf(deps)
        : await execute(deps, request, { edits: manifest.edits, ...(prune && { prune }) }, isDryRun).catch(
            place(manifest),
          );
    if (isDryRun) reply.header('x-signalbox-dry-run', 'true');
    else reply.header(REVISION_HEADER, accepted.revision);
    return sendJson(reply, JSON.stringify(answer(accepted, isDryRun)));
  };
}

const nothingOf = ({ state }: EdgeDeps): Accepted => ({
  ok: true,
  revision: state.head.revision,
  changes: [],
  outcomes: [],
  untold: [],
  warnings: [],
});

const place =
  (manifest: Manifest) =>
  (error: unknown): never => {
    throw error instanceof Problem ? placeErrors(error, manifest) : error;
  };

/** The same with and without dry run, but for `dryRun` (COV5). */
function answer({ revision, outcomes, warnings }: Accepted, isDryRun: boolean): object {
  const summary = { created: 0, updated: 0, unchanged: 0, deleted: 0 };
  for (const { op } of outcomes) summary[op]++;
  return { revision, dryRun: isDryRun, summary, items: outcomes.map(itemAnswer), warnings };
}

function itemAnswer({ name, op, before, after }: Outcome): ItemAnswer {
  if (op !== 'updated' || before === undefined || after === undefined) return { name, op };
  return { name, op, changes: diff(before.value, after.value) };
}

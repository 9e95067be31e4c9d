import { Type, type Static } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Edit, Outcome } from '../../domain/command.ts';
import { Problem } from '../../protocol/problem.ts';
import { etagOf, REVISION_HEADER, sendJson } from '../answers.ts';
import { jsonOf } from '../body.ts';
import type { EdgeDeps } from '../deps.ts';
import { expectationOf } from '../preconditions.ts';
import { execute, type Accepted } from './execute.ts';
import { checkIds, nameIn, type Collection, type PathParams } from './collections.ts';

export const dryRun = Type.Optional(
  Type.Boolean({
    default: false,
    description: 'Answer exactly what the write would, and change nothing (COV5).',
  }),
);

export const WriteQuery = Type.Object({ dryRun }, { additionalProperties: false });

/** `PUT`: creates or replaces. */
export const putOne = (deps: EdgeDeps, collection: Collection) =>
  write(deps, collection, (name, request) => ({ op: 'put', name, value: documentOf(request, name) }));

/** `PATCH`: a JSON merge patch (RFC 7396). */
export const patchOne = (deps: EdgeDeps, collection: Collection) =>
  write(deps, collection, (name, request) => ({ op: 'patch', name, patch: documentOf(request, name) }));

/** `DELETE`. */
export const deleteOne = (deps: EdgeDeps, collection: Collection) =>
  write(deps, collection, (name) => ({ op: 'delete', name }));

function write(deps: EdgeDeps, collection: Collection, editOf: (name: string, request: FastifyRequest) => Edit) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const params = request.params as PathParams;
    checkIds(collection, params);
    const name = nameIn(collection, params);
    const edits = [editOf(name, request)];
    const query = request.query as Static<typeof WriteQuery>;
    const accepted = await execute(deps, request, { edits, ...expectationOf(request.headers) }, query.dryRun === true);
    if (query.dryRun === true) reply.header('x-signalbox-dry-run', 'true');
    else reply.header(REVISION_HEADER, accepted.revision);
    return answer(reply, name, accepted);
  };
}

/** The `name` of a document is optional beside a path, but may not contradict it. */
function documentOf(request: FastifyRequest, name: string): unknown {
  const document = jsonOf(request);
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new Problem('invalid', {
      detail: 'The body must be a JSON object.',
      errors: [{ pointer: '', detail: 'must be an object' }],
    });
  }
  const own = (document as { readonly name?: unknown }).name;
  if (own !== undefined && own !== name) {
    const detail = `must be ${JSON.stringify(name)}, as in the path, or be left out`;
    throw new Problem('invalid', { detail: `name ${detail}`, errors: [{ pointer: '/name', detail }] });
  }
  return document;
}

function answer(reply: FastifyReply, name: string, { outcomes, warnings, revision }: Accepted): FastifyReply {
  const outcome = outcomes.find((candidate) => candidate.name === name);
  const after = outcome?.after;
  if (after === undefined)
    return sendJson(reply, JSON.stringify({ name, revision, deleted: true, ...(warnings.length > 0 && { warnings }) }));
  if (isCreation(outcome)) reply.code(201).header('location', `/v1/${name}`);
  reply.header('etag', etagOf(after.revision));
  const json =
    warnings.length === 0 ? after.json : `${after.json.slice(0, -1)},"warnings":${JSON.stringify(warnings)}}`;
  return sendJson(reply, json);
}

const isCreation = (outcome: Outcome | undefined): boolean => outcome?.op === 'created';

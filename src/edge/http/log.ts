import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ResetReason } from '../../domain/position.ts';
import { encodeEntry } from '../../protocol/change.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { answers, json, READ_PROBLEMS, ReadHeaders } from '../openapi.ts';

const ChangesQuery = Type.Object(
  {
    since: Type.Integer({
      minimum: 0,
      description: 'The revision that the caller has; what came after it is answered.',
    }),
    epoch: Type.Optional(
      Type.String({ maxLength: 64, description: 'The epoch that `since` belongs to; without it, the present one.' }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: 100,
        description: 'How many revisions to answer at most; large ones make it fewer.',
      }),
    ),
  },
  { additionalProperties: false },
);

const MAX_BYTES = 4 * 1024 * 1024;

const REASONS: Readonly<Record<ResetReason, string>> = {
  trimmed: 'what follows it was trimmed from the log',
  epoch: 'it belongs to another epoch',
  future: 'it lies in the future',
};

/** `GET /v1/changes`: the revision log (REV4). */
function changes({ state, log }: Pick<EdgeDeps, 'state' | 'log'>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const query = request.query as Static<typeof ChangesQuery>;
    const epoch = query.epoch ?? state.head.epoch;
    const read = await log.read({ epoch, revision: query.since }, { entries: query.limit ?? 100, bytes: MAX_BYTES });
    const { head } = state;
    if (read.kind === 'startOver') {
      throw new Problem('start-over', {
        detail: `The changes since revision ${query.since} cannot be told: ${REASONS[read.reason]}. Read the state and go on from head.`,
        reason: read.reason,
        head: { epoch: head.epoch, revision: head.revision },
      });
    }
    const to = read.entries.at(-1)?.revision ?? query.since;
    const encoded = read.entries.map(encodeEntry).join(',');
    const position = `"from":${query.since},"to":${to},"head":${head.revision},"epoch":${JSON.stringify(head.epoch)}`;
    return sendJson(reply, `{${position},"changes":[${encoded}]}`);
  };
}

/** `GET /v1/state`: where the log stands. */
function readState({ state }: Pick<EdgeDeps, 'state'>) {
  return (_request: FastifyRequest, reply: FastifyReply): void => {
    const { epoch, revision, trimmed } = state.head;
    sendJson(reply, JSON.stringify({ epoch, revision, trimmed, ready: state.ready, resources: state.view.size }));
  };
}

/** The log's changes and its head. */
export function logRoutes(app: FastifyInstance, deps: EdgeDeps): void {
  app.route({
    method: 'GET',
    url: '/v1/changes',
    config: { action: 'log.read' },
    schema: {
      operationId: 'ListChanges',
      tags: ['log'],
      summary: 'What changed since a revision',
      description: 'Whole revisions in order. Ask again with `to` as `since` while `to` is below `head`.',
      querystring: ChangesQuery,
      headers: ReadHeaders,
      response: answers({ 200: json('The changes.', CHANGES) }, ['start-over', 'store-unavailable', ...READ_PROBLEMS]),
    },
    handler: changes(deps),
  });
  app.route({
    method: 'GET',
    url: '/v1/state',
    config: { action: 'log.read' },
    schema: {
      operationId: 'GetState',
      tags: ['log'],
      summary: 'Where the log stands',
      querystring: Type.Object({}, { additionalProperties: false }),
      headers: ReadHeaders,
      response: answers({ 200: json('The head.', STATE) }, ['not-ready', 'revision-not-reached']),
    },
    handler: readState(deps),
  });
}

const EPOCH = Type.String({
  description: 'Changes when a database is restored: revisions of two epochs do not compare (REV4).',
});

const CHANGES = Type.Object({
  from: Type.Integer({ description: '`since`.' }),
  to: Type.Integer({ description: 'The last revision in the answer.' }),
  head: Type.Integer({ description: 'The last revision there is.' }),
  epoch: EPOCH,
  changes: Type.Array(
    Type.Object({
      op: Type.Enum(['put', 'delete']),
      kind: Type.String(),
      key: Type.String({ description: "The resource's name." }),
      revision: Type.Integer(),
      value: Type.Optional(Type.Unknown({ description: 'The resource; only with put.' })),
    }),
  ),
});

const STATE = Type.Object({
  epoch: EPOCH,
  revision: Type.Integer({ description: 'The last revision.' }),
  trimmed: Type.Integer({ description: 'The log holds every revision above this one.' }),
  ready: Type.Boolean(),
  resources: Type.Integer({ description: 'How many resources there are.' }),
});

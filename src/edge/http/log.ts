import { Type, type Static } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ResetReason } from '../../domain/position.ts';
import { encodeEntry } from '../../protocol/change.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';

export const ChangesQuery = Type.Object(
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
export function changes({ state, log }: Pick<EdgeDeps, 'state' | 'log'>) {
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
export function readState({ state }: Pick<EdgeDeps, 'state'>) {
  return (_request: FastifyRequest, reply: FastifyReply): void => {
    const { epoch, revision, trimmed } = state.head;
    sendJson(reply, JSON.stringify({ epoch, revision, trimmed, ready: state.ready, resources: state.view.size }));
  };
}

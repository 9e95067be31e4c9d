import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sightOf } from '../../auth/sight.ts';
import { DURATION, parseDuration } from '../../domain/duration.ts';
import type { Entry } from '../../domain/item.ts';
import type { Position } from '../../domain/position.ts';
import type { Sight } from '../../domain/visibility.ts';
import { encodeSelected } from '../../feed/selected.ts';
import { encodeEntry } from '../../protocol/change.ts';
import type { ResetFrame, Select } from '../../protocol/frames.ts';
import { badParameter, Problem } from '../../protocol/problem.ts';
import { REVISION_HEADER, sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { decide } from '../identify.ts';
import { poll, type PollHub } from '../long-poll.ts';
import { answers, json, READ_PROBLEMS, ReadHeaders } from '../openapi.ts';
import { peerOf, requireRoom } from '../peer.ts';
import { seenBy } from '../seen.ts';
import { selectOf, selectParameters } from '../selection.ts';

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
        description: 'How many revisions to answer at most; large ones make it fewer. What ends a wait comes whole.',
      }),
    ),
    wait: Type.Optional(
      Type.String({
        pattern: DURATION,
        description: 'How long to wait for the first change when there is none yet; up to 5m.',
        examples: ['30s'],
      }),
    ),
    ...selectParameters,
  },
  { additionalProperties: false },
);

type Query = Static<typeof ChangesQuery>;
type LogDeps = Pick<EdgeDeps, 'state' | 'log' | 'feed'>;

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_WAIT_MS = 5 * 60_000;
/** How far one request looks for what it selects: reads of so many revisions. */
const SCAN = { reads: 20, entries: 1000 };

const REASONS: Readonly<Record<Exclude<ResetFrame['reason'], 'unavailable'>, string>> = {
  trimmed: 'what follows it was trimmed from the log',
  epoch: 'it belongs to another epoch',
  future: 'it lies in the future',
  resync: 'the state was read anew',
  access: 'the caller may see other things now',
  fenced: 'what this node has told may be wrong',
};

/** What is asked for, and what of it may be told. */
interface Wanted {
  readonly select: Select | undefined;
  readonly sight: Sight;
}

/** The member `changes` of an answer, and the revision that it leads up to. */
interface Found {
  readonly to: number;
  readonly changes: string;
  readonly empty: boolean;
  /** Whether nothing came after `to` when it was looked for. */
  readonly atHead: boolean;
}

/** `GET /v1/changes`: the revision log (REV4), and the feed for those who can only poll. */
function changes(deps: LogDeps) {
  const { state, feed } = deps;
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const query = request.query as Query;
    const select = selectOf(query);
    const waitMs = waitOf(query);
    const position = { epoch: query.epoch ?? state.head.epoch, revision: query.since };
    const sight = sightOf(request.caller);
    const found = await find(deps, position, { select, sight }, query.limit ?? 100);
    // Reading takes a while, and what was read may tell that the caller is nobody by now, or somebody else (SEC3).
    const refused = decide(request, 'log.read', undefined, state.view);
    if (refused !== undefined) throw refused;
    if (sightOf(request.caller).id !== sight.id) throw startOver(deps, query.since, 'access');
    const mayWait = waitMs > 0 && found.empty && found.atHead && feed !== undefined;
    const last = mayWait ? await wait(deps, feed, { request, reply, select, waitMs, from: position, found }) : found;
    const { head } = state;
    const place = `"from":${query.since},"to":${last.to},"head":${head.revision},"epoch":${JSON.stringify(position.epoch)}`;
    return sendJson(reply, `{${place},${last.changes}}`);
  };
}

function waitOf({ wait: text }: Query): number {
  if (text === undefined) return 0;
  const ms = parseDuration(text);
  if (ms === undefined || ms > MAX_WAIT_MS) throw badParameter('wait', 'must be a duration such as 30s, at most 5m');
  return ms;
}

/** What the log has: one read of it, or with a selection, as many as it takes to find something, within bounds. */
async function find(deps: LogDeps, from: Position, { select, sight }: Wanted, limit: number): Promise<Found> {
  const { epoch } = from;
  let to = from.revision;
  const parts: string[] = [];
  let bytes = 0;
  let atHead = false;
  const isAll = select === undefined && sight.keys === 'all';
  for (let reads = 0; reads < SCAN.reads && parts.length === 0 && !atHead; reads++) {
    const entries = isAll ? limit : SCAN.entries;
    const read = await deps.log.read({ epoch, revision: to }, { entries, bytes: MAX_BYTES });
    if (read.kind === 'startOver') throw startOver(deps, from.revision, read.reason);
    atHead = read.entries.length === 0;
    for (const entry of read.entries) {
      if (parts.length === limit || bytes > MAX_BYTES) break;
      const encoded = isAll ? encodeEntry(entry) : selected(select ?? ALL, sight, entry);
      if (encoded !== '') parts.push(encoded);
      bytes += encoded.length;
      to = entry.revision;
    }
  }
  return { to, changes: `"changes":[${parts.join(',')}]`, empty: parts.length === 0, atHead };
}

const ALL: Select = { kind: '*' };

const selected = (select: Select, sight: Sight, { changes: all, revision }: Entry): string =>
  all
    .map((change) => encodeSelected(select, sight, change, revision))
    .filter((encoded) => encoded !== undefined)
    .join(',');

interface Waiting {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly select: Select | undefined;
  readonly waitMs: number;
  readonly from: Position;
  readonly found: Found;
}

async function wait(deps: LogDeps, feed: PollHub, waiting: Waiting): Promise<Found> {
  const { request, reply, select = ALL, waitMs, from, found } = waiting;
  const peer = peerOf(request, 'poll');
  requireRoom(feed, peer);
  // Otherwise the connection would be cut for being idle; Node sets it anew for the next request.
  request.raw.socket.setTimeout(0);
  const began = performance.now();
  const since = { epoch: from.epoch, revision: found.to };
  const polled = await poll(feed, { select, since, waitMs, peer, reply });
  // The time that it waited is not the time that it took.
  request.arrivedAt += performance.now() - began;
  reply.header(REVISION_HEADER, deps.state.head.revision);
  switch (polled.kind) {
    case 'changes':
      return { ...found, ...polled, empty: false };
    case 'nothing':
      return { ...found, to: polled.to };
    case 'startOver':
      throw startOver(deps, from.revision, polled.reason);
    case 'tokenEnded':
      throw new Problem('invalid-token', 'The token is not taken: it has expired while the request waited.');
    case 'accessEnded':
      throw new Problem('forbidden', 'The caller may not read the log any more.');
    case 'turnedAway':
      throw new Problem('draining', { detail: 'This node takes no watchers now; another one does.', retryAfter: 1 });
    case 'behind':
      throw startOver(deps, from.revision, 'unavailable');
    case 'full':
      throw new Problem('overloaded', {
        detail: 'As many watch as this server takes (WATCH_MAX_SOCKETS); ask without wait, or again later.',
        retryAfter: 5,
      });
  }
}

function startOver({ state: { head } }: LogDeps, since: number, reason: ResetFrame['reason']): Problem {
  if (reason === 'unavailable') {
    return new Problem('store-unavailable', { detail: 'The log cannot be read now.', retryAfter: 1 });
  }
  return new Problem('start-over', {
    detail: `The changes since revision ${since} cannot be told: ${REASONS[reason]}. Read the state and go on from head.`,
    reason,
    head: { epoch: head.epoch, revision: head.revision },
  });
}

/** `GET /v1/state`: where the log stands. */
function readState({ state }: Pick<EdgeDeps, 'state'>) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { epoch, revision, trimmed } = state.head;
    sendJson(
      reply,
      JSON.stringify({ epoch, revision, trimmed, ready: state.ready, resources: seenBy(request, state).size }),
    );
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
      description:
        'Whole revisions in order. Ask again with `to` as `since` while `to` is below `head`. With parameters that select, only what concerns the selection: what stops matching is a delete, and `to` moves on although nothing matched. With `wait` it is a long poll (PUSH.md).',
      querystring: ChangesQuery,
      headers: ReadHeaders,
      response: answers({ 200: json('The changes.', CHANGES) }, [
        'start-over',
        'store-unavailable',
        'draining',
        'overloaded',
        ...READ_PROBLEMS,
      ]),
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
  to: Type.Integer({ description: 'The answer tells everything up to this revision.' }),
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

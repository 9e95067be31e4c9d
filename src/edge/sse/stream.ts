import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Type, type Static } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Position } from '../../domain/position.ts';
import type { Connection } from '../../feed/connection.ts';
import type { Hub } from '../../feed/hub.ts';
import { badHeader, badParameter } from '../../protocol/problem.ts';
import { peerOf, requireRoom } from '../peer.ts';
import { selectOf, selectParameters } from '../selection.ts';
import { RESET_ID, SseSocket } from './sse-socket.ts';

export type StreamHub = Pick<Hub, 'connect' | 'head' | 'projects'>;

/** Of `GET /v1/watch` as a stream of events. */
export const StreamQuery = Type.Object(
  {
    ...selectParameters,
    lastEventId: Type.Optional(
      Type.String({ description: 'As the header Last-Event-ID, which browsers cannot set at their first connection.' }),
    ),
    since: Type.Optional(Type.Integer({ minimum: 0, description: 'The revision to resume from.' })),
    epoch: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'The epoch that `since` belongs to; without it, the present one.',
      }),
    ),
  },
  { additionalProperties: false },
);

/**
 * The push feed as a stream of events: one subscription, which the query names. Throws a `Problem`; what goes wrong once the answer has
 * begun, which may be in its turn behind another one, ends the stream.
 */
export function openStream(
  hub: StreamHub,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Pick<Logger, 'error'>,
): void {
  const query = request.query as Static<typeof StreamQuery>;
  const select = selectOf(query) ?? { kind: '*' };
  const since = sinceOf(hub, request, query);
  const peer = peerOf(request, 'sse');
  requireRoom(hub, peer);
  reply.hijack();
  const { raw: response } = reply;
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...HEADERS })) {
    if (value !== undefined) response.setHeader(name, value);
  }
  whenItsTurn(response, (raw) => {
    // The connection may be silent for as long as the heartbeats are apart.
    raw.setTimeout(0);
    // The head and what there is to begin with leave in one piece.
    raw.cork();
    try {
      response.flushHeaders();
      const socket = new SseSocket(response, raw, () => hub.head.epoch);
      const connection = hub.connect(socket, peer);
      if (connection !== undefined) follow(connection, socket, response);
      connection?.subscribe({ id: STREAM, select, ...(since && { since }) });
    } catch (error) {
      // A defect of ours may cost the stream that has met it, and no other.
      log.error({ err: error }, 'a stream could not be begun');
      response.destroy();
    }
    raw.uncork();
  });
}

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // Some proxies would gather what ought to be passed on at once.
  'x-accel-buffering': 'no',
};

/** The id of the one subscription that a stream has. */
const STREAM = 'stream';

function follow(connection: Connection, socket: SseSocket, response: ServerResponse): void {
  socket.onDrain = () => connection.drained();
  response.on('close', () => {
    socket.stop();
    connection.ended();
  });
}

/** Behind another request on the same connection, the response has to wait until that is answered. */
function whenItsTurn(response: ServerResponse, start: (raw: Socket) => void): void {
  if (response.socket !== null) start(response.socket);
  else response.once('socket', start);
}

/** Where the client left off. A browser repeats its parameters when it comes back, so its header says more than they do. */
function sinceOf(
  hub: StreamHub,
  { headers }: FastifyRequest,
  { lastEventId, since, epoch }: Static<typeof StreamQuery>,
): Position | undefined {
  const header = headers['last-event-id'];
  if (header === RESET_ID || (lastEventId === RESET_ID && !header)) return undefined;
  if (header !== undefined && header !== '') {
    return positionOf(String(header)) ?? fail(badHeader('Last-Event-ID', IS_NO_ID));
  }
  if (lastEventId !== undefined && lastEventId !== '') {
    return positionOf(lastEventId) ?? fail(badParameter('lastEventId', IS_NO_ID));
  }
  if (since !== undefined) return { epoch: epoch ?? hub.head.epoch, revision: since };
  if (epoch !== undefined) throw badParameter('epoch', 'belongs to since, which is not given');
  return undefined;
}

const IS_NO_ID = 'must be the id of an event, such as k3x9:41';

function positionOf(id: string): Position | undefined {
  const [, epoch = '', revision] = /^([^:]{1,64}):([0-9]{1,15})$/.exec(id) ?? [];
  return revision === undefined ? undefined : { epoch, revision: Number(revision) };
}

function fail(problem: Error): never {
  throw problem;
}

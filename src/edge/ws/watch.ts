import type { IncomingMessage } from 'node:http';
import '@fastify/swagger';
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import websocket from '@fastify/websocket';
import { Type } from 'typebox';
import type { WebSocket } from 'ws';
import type { Logger } from 'pino';
import type { Hub } from '../../feed/hub.ts';
import type { Registrar } from '../../feed/registrar.ts';
import { badHeader, badParameter, Problem } from '../../protocol/problem.ts';
import { agreeOn, PROTOCOL, SPOKEN } from '../../protocol/version.ts';
import { answers, MIN_REVISION } from '../openapi.ts';
import { peerOf } from '../peer.ts';
import { wantsEvents } from '../sse/accept.ts';
import { openStream, StreamQuery } from '../sse/stream.ts';
import { giveBackOthers } from './give-back.ts';
import { rawSocket, WsSocket } from './ws-socket.ts';

export interface WatchDeps {
  readonly hub: Pick<Hub, 'connect' | 'limits' | 'head' | 'projects'>;
  /** Takes the instances that are registered over a socket. */
  readonly registrar: Registrar;
  readonly log: Pick<Logger, 'debug' | 'error'>;
  /** The longest client frame in bytes; a longer one closes the socket with 1009. */
  readonly maxFrameBytes: number;
}

/** `GET /v1/watch`: the push feed over WebSocket or as a stream of events, as `openapi/PUSH.md` tells. */
export const watchRoute =
  (deps: WatchDeps): FastifyPluginCallback =>
  (app: FastifyInstance, _options, done) => {
    app.register(websocket, {
      options: {
        maxPayload: deps.maxFrameBytes,
        perMessageDeflate: false,
        clientTracking: false,
        handleProtocols: (offered: Set<string>) => agreeOn(offered)?.name ?? false,
      },
      errorHandler: (error, socket) => {
        deps.log.debug({ err: error }, 'a watch socket failed');
        socket.terminate();
      },
      // The hub says goodbye in a phase of its own, before the server closes.
      preClose: (closed) => {
        closed();
      },
    });
    app.after(() => {
      giveBackOthers(app.server, isWatch);
    });
    app.register((scope, _, scopeDone) => {
      scope.route({
        method: 'GET',
        url: '/v1/watch',
        exposeHeadRoute: false,
        config: { action: 'feed.watch' },
        schema: {
          operationId: 'watch',
          tags: ['feed'],
          summary: 'Watch changes, over WebSocket or as server-sent events',
          description: `Upgrades to a WebSocket with the subprotocol \`${PROTOCOL}\`, or with \`Accept: text/event-stream\` answers a stream of events, which the parameters select. PUSH.md describes both. Without either it answers 426.`,
          querystring: StreamQuery,
          headers: StreamHeaders,
          response: answers({ 200: EVENTS, 101: { description: 'A WebSocket.' } }, PROBLEMS),
        },
        preValidation: (request, _reply, next) => {
          next(request.ws ? whyNoSocket(request) : undefined);
        },
        handler: (request, reply) => {
          if (wantsEvents(request.headers.accept)) return openStream(deps.hub, request, reply, deps.log);
          reply.header('upgrade', 'websocket');
          throw new Problem('upgrade-required', UPGRADE);
        },
        wsHandler: (socket, request) => {
          open(socket, request, deps);
        },
      });
      scopeDone();
    });
    done();
  };

const isWatch = ({ method, url, headers }: IncomingMessage): boolean =>
  method === 'GET' && /^\/v1\/watch(?:\?|$)/.test(url ?? '') && headers.upgrade?.toLowerCase() === 'websocket';

const UPGRADE = `This is a WebSocket: connect with the subprotocol ${PROTOCOL}. For server-sent events, accept text/event-stream.`;

const PROBLEMS = ['invalid', 'quota-exceeded', 'upgrade-required', 'not-ready', 'revision-not-reached'] as const;
const EVENTS = {
  description: 'The stream.',
  content: { 'text/event-stream': { schema: Type.String({ description: 'Events, as PUSH.md describes them.' }) } },
};
const StreamHeaders = Type.Object({
  ...MIN_REVISION,
  'last-event-id': Type.Optional(Type.String({ description: 'The id of the last event that the client has seen.' })),
});

function whyNoSocket({ headers, raw }: FastifyRequest): Problem | undefined {
  const offered = headers['sec-websocket-protocol'];
  if (offered !== undefined && agreeOn(offered.split(',').map((name) => name.trim())) === undefined) {
    return badHeader('Sec-WebSocket-Protocol', `must offer ${SPOKEN.map(({ name }) => name).join(' or ')}`);
  }
  // Passing them over would leave the client waiting for what it has not asked for.
  const parameter = /\?([^=&]+)/.exec(raw.url ?? '')?.[1];
  if (parameter === undefined) return undefined;
  return badParameter(parameter.slice(0, 80), 'is for server-sent events; over a WebSocket, send a subscribe frame');
}

/** Errors that say that nobody was there, where others say that somebody has cut the connection. */
const NOBODY: ReadonlySet<string> = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EHOSTDOWN']);

function open(ws: WebSocket, request: FastifyRequest, deps: WatchDeps): void {
  release(ws);
  const socket = new WsSocket(ws);
  const agreed = agreeOn(ws.protocol === '' ? [] : [ws.protocol]);
  const peer = { ...peerOf(request, 'websocket'), ...(agreed && { protocol: agreed.version }) };
  const connection = deps.hub.connect(socket, peer, deps.registrar);
  let seen = true;
  ws.on('error', (error: NodeJS.ErrnoException) => {
    deps.log.debug({ err: error }, 'a watch socket failed');
    seen = !NOBODY.has(error.code ?? '');
    ws.terminate();
  });
  if (connection === undefined) return;
  socket.onDrain = () => {
    if (ws.isPaused) ws.resume();
    connection.drained();
  };
  ws.on('message', (data: Buffer, binary: boolean) => {
    try {
      socket.together(() => connection.receive(binary ? '' : data.toString()));
    } catch (error) {
      // A defect of ours may cost the socket that has met it, and no other.
      deps.log.error({ err: error }, 'a watch frame could not be handled');
      connection.ended();
      ws.close(1011, 'the server made a mistake');
    }
    // Who asks and does not read the answers is not asked for more (PUSH9).
    if (socket.queued > deps.hub.limits.maxQueuedBytes) ws.pause();
  });
  const heard = (): void => connection.heard();
  ws.on('ping', heard);
  ws.on('pong', heard);
  ws.on('close', () => {
    connection.ended(seen);
  });
}

/**
 * Lets go of what the upgrade leaves behind: the HTTP response that still holds the socket, and the error listener of
 * @fastify/websocket that holds request and reply. An idle watcher would carry them for as long as it lives.
 */
function release(ws: WebSocket): void {
  ws.removeAllListeners('error');
  const raw = rawSocket(ws);
  (raw as unknown as HttpSocket)._httpMessage?.detachSocket(raw);
}

interface HttpSocket {
  readonly _httpMessage?: { detachSocket(socket: unknown): void } | null;
}

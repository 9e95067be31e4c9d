import type { IncomingMessage } from 'node:http';
import '@fastify/swagger';
import type { FastifyInstance, FastifyPluginCallback } from 'fastify';
import websocket from '@fastify/websocket';
import type { WebSocket } from 'ws';
import type { Logger } from 'pino';
import type { Hub } from '../../feed/hub.ts';
import { badHeader, Problem } from '../../protocol/problem.ts';
import { PROTOCOL } from '../../protocol/version.ts';
import { giveBackOthers } from './give-back.ts';
import { rawSocket, WsSocket } from './ws-socket.ts';

export interface WatchDeps {
  readonly hub: Pick<Hub, 'connect' | 'limits'>;
  readonly log: Pick<Logger, 'debug'>;
  /** The longest client frame in bytes; a longer one closes the socket with 1009. */
  readonly maxFrameBytes: number;
}

/** `GET /v1/watch`: the push feed over WebSocket, as `openapi/PUSH.md` tells. */
export const watchRoute =
  (deps: WatchDeps): FastifyPluginCallback =>
  (app: FastifyInstance, _options, done) => {
    app.register(websocket, {
      options: {
        maxPayload: deps.maxFrameBytes,
        perMessageDeflate: false,
        clientTracking: false,
        handleProtocols: (offered: Set<string>) => (offered.has(PROTOCOL) ? PROTOCOL : false),
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
          summary: 'Watch changes over WebSocket',
          description: `Upgrades to a WebSocket with the subprotocol \`${PROTOCOL}\`; the frames are described in PUSH.md. Without an upgrade it answers 426.`,
        },
        preValidation: (request, _reply, next) => {
          const offered = request.headers['sec-websocket-protocol'];
          if (!request.ws || offered === undefined || offered.split(',').some((name) => name.trim() === PROTOCOL)) {
            next();
          } else {
            next(badHeader('Sec-WebSocket-Protocol', `must offer ${PROTOCOL}`));
          }
        },
        handler: (_request, reply) => {
          reply.header('upgrade', 'websocket');
          throw new Problem('upgrade-required', UPGRADE);
        },
        wsHandler: (socket) => {
          open(socket, deps);
        },
      });
      scopeDone();
    });
    done();
  };

const isWatch = ({ method, url, headers }: IncomingMessage): boolean =>
  method === 'GET' && /^\/v1\/watch(?:\?|$)/.test(url ?? '') && headers.upgrade?.toLowerCase() === 'websocket';

const UPGRADE = `This is a WebSocket: connect with the subprotocol ${PROTOCOL}.`;

function open(ws: WebSocket, deps: WatchDeps): void {
  release(ws);
  const socket = new WsSocket(ws);
  const connection = deps.hub.connect(socket);
  ws.on('error', (error) => {
    deps.log.debug({ err: error }, 'a watch socket failed');
    ws.terminate();
  });
  if (connection === undefined) return;
  socket.onDrain = () => {
    if (ws.isPaused) ws.resume();
    connection.drained();
  };
  ws.on('message', (data: Buffer, binary: boolean) => {
    socket.together(() => connection.receive(binary ? '' : data.toString()));
    // Who asks and does not read the answers is not asked for more (PUSH9).
    if (socket.queued > deps.hub.limits.maxQueuedBytes) ws.pause();
  });
  const heard = (): void => connection.heard();
  ws.on('ping', heard);
  ws.on('pong', heard);
  ws.on('close', () => {
    connection.ended();
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

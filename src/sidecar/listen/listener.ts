import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  createServer as createHttp2,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { askToLeave } from '../../sdk/registration/close-server.ts';
import type { Request, Response } from '../proxy/messages.ts';
import type { Certificate } from './certificate.ts';
import { endWhenIdle, type IdleTimes } from './idle.ts';
import { isWebSocket, plainRequest } from './plain-request.ts';
import { sniff } from './preface.ts';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  /** The contents of PEM files; without, HTTP/1.1 and HTTP/2 in plain text. */
  readonly tls?: Certificate;
  readonly maxHeaderBytes: number;
  /** Milliseconds until a request's header has to be there. */
  readonly headersTimeoutMs: number;
  /** Milliseconds that a connection is kept without a request. Default: 75,000. */
  readonly idleMs?: number;
  readonly maxConnections: number;
  /** Hears of what went wrong while a request was taken; that request is cut. */
  readonly onError: (error: unknown) => void;
}

export interface Handlers {
  request(request: Request, response: Response): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Streams of one HTTP/2 connection at a time. */
const MAX_STREAMS = 256;
const IDLE_MS = 75_000;
/** Who has gone without a word is asked for by the system after so long, and given up 10 s later. */
const ASKED_AFTER_MS = 60_000;
const SWEEP_MS = 50;

/** HTTP/1.1 and HTTP/2 on one port: over TLS by ALPN, without by what the client says first. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server | Http2SecureServer;
  readonly #plainHttp2: Http2Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Of HTTP/1.1, the last answer of a connection. */
  readonly #answering = new WeakMap<Socket, ServerResponse>();
  /** What a session that is begun now speaks over; it does not show it itself. */
  #speaking: Socket | undefined;
  /** The HTTP/1.1 server reads requests from a socket. */
  #takeAgain: (socket: Socket) => void;

  constructor(options: ListenerOptions, handlers: Handlers) {
    this.#options = options;
    const { idleMs = IDLE_MS, headersTimeoutMs: firstMs } = options;
    const http1 = {
      maxHeaderSize: options.maxHeaderBytes,
      headersTimeout: options.headersTimeoutMs,
      requestTimeout: 0,
      keepAliveTimeout: idleMs,
    };
    const http2 = {
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: options.maxHeaderBytes },
      unknownProtocolTimeout: options.headersTimeoutMs,
    };
    const times = { firstMs, idleMs };
    const checks = { connectionsCheckingInterval: checkEvery(options.headersTimeoutMs) };
    this.#takeAgain = (socket) => void this.#server.emit('secureConnection', socket);
    if (options.tls === undefined) {
      const server = createServer({ ...http1, ...checks });
      this.#plainHttp2 = createHttp2(http2);
      this.#server = this.#sniffing(server, this.#plainHttp2);
      this.#take(this.#plainHttp2, handlers, times);
    } else {
      const { headersTimeoutMs: handshakeTimeout } = options;
      const server = createSecureServer({ ...http2, ...options.tls, allowHTTP1: true, handshakeTimeout });
      // It takes these of HTTP/1.1 from itself, not from its options.
      this.#server = Object.assign(server, { ...http1, ...checks });
      this.#server.on('connection', this.#remember);
      this.#server.prependListener('secureConnection', (socket: Socket) => {
        this.#speaking = socket;
      });
    }
    this.#take(this.#server, handlers, times);
    this.#server.maxConnections = options.maxConnections;
  }

  /** The address that it is bound to, whatever name it was given; undefined before `listen`. */
  get host(): string | undefined {
    const address = this.#server.address();
    return typeof address === 'object' ? address?.address : undefined;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Resolves with the port that it listens on. */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: 4096 }, () => {
        this.#server.off('error', reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** To new connections, in place of the certificate that it was made with; those that are open go on. */
  show(certificate: Certificate): void {
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(certificate);
  }

  /** From now on each answer ends its connection, so that callers who cannot be told send nothing into one that is being closed. */
  leave(): void {
    askToLeave(this.#server as Server);
  }

  /** Takes no new connections, lets what is under way end, and cuts what is left after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    const sweep = setInterval(() => {
      if ('closeIdleConnections' in this.#server) this.#server.closeIdleConnections();
      for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    }, SWEEP_MS);
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }

  /** The HTTP/1.1 server accepts and keeps its own time limits; what speaks HTTP/2 is handed over. */
  #sniffing(server: Server, plainHttp2: Http2Server): Server {
    const takers = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      this.#remember(socket);
      socket.setNoDelay(true);
      sniff(socket, this.#options.headersTimeoutMs, (spoken) => {
        if (spoken === 'http2') {
          this.#speaking = socket;
          return void plainHttp2.emit('connection', socket);
        }
        this.#takeAgain(socket);
        socket.resume();
      });
    });
    this.#takeAgain = (socket) => {
      for (const take of takers) take.call(server, socket);
    };
    return server;
  }

  /** Answers to earlier requests of a connection go first. */
  #afterAnswers(socket: Socket, then: () => void): void {
    const before = this.#answering.get(socket);
    if (before === undefined || before.closed) return then();
    before.once('close', () => {
      socket.setTimeout(0);
      if (!socket.destroyed) then();
    });
  }

  /** A mistake in what one request brings about ends that request, not the process. */
  #guarded(end: { destroy(): unknown }, handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#options.onError(error);
      end.destroy();
    }
  }

  #take(server: Server | Http2Server | Http2SecureServer, handlers: Handlers, times: IdleTimes): void {
    server.on('request', (request: Request, response: Response) => {
      if (request.httpVersionMajor === 1) this.#answering.set(request.socket, response as ServerResponse);
      this.#guarded(response, () => handlers.request(request, response));
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#afterAnswers(socket as Socket, () => {
        if (isWebSocket(request)) return this.#guarded(socket, () => handlers.upgrade(request, socket, head));
        // Whoever asks for something else gets an answer as if nothing was asked for (RFC 9110, 7.8).
        socket.unshift(Buffer.concat([plainRequest(request), head]));
        this.#takeAgain(socket as Socket);
      }),
    );
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      if (this.#speaking !== undefined) endWhenIdle(session, this.#speaking, times);
      // It is closed by then; without a listener the process would end.
      session.on('error', () => {});
    });
  }

  readonly #remember = (socket: Socket): void => {
    this.#sockets.add(socket);
    socket.setKeepAlive(true, ASKED_AFTER_MS);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
  };
}

/** So often is looked after requests that take too long to arrive. */
const checkEvery = (timeoutMs: number): number => Math.min(Math.max(timeoutMs / 4, 50), 5000);

import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Asking } from '../record.ts';

/** As named-checks.mjs makes it. */
const NAMED = /^signalbox-check (.+)$/;

/** Something to check, in this process: it answers 200 until it dies, and again on the same port when it comes back. */
export class Listener {
  readonly port: number;
  /** Each time that it was asked. */
  readonly asked: Asking[] = [];
  #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    this.#serve(server);
  }

  static async open(): Promise<Listener> {
    const server = createServer();
    await listen(server, 0);
    return new Listener(server, (server.address() as AddressInfo).port);
  }

  async die(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async revive(): Promise<void> {
    this.#server = createServer();
    this.#serve(this.#server);
    await listen(this.#server, this.port);
  }

  #serve(server: Server): void {
    server.on('request', (request, response) => {
      this.asked.push({ at: performance.now(), by: NAMED.exec(request.headers['user-agent'] ?? '')?.[1] });
      response.writeHead(200).end();
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }
}

const listen = (server: Server, port: number): Promise<void> =>
  new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', done);
  });

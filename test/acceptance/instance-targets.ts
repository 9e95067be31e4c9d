import { afterAll } from '@jest/globals';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type Answering = (request: IncomingMessage, response: ServerResponse) => void;

const listening = new Set<Target>();

// A test that fails leaves its servers behind, and they would keep the whole run from ending.
afterAll(async () => {
  for (const target of listening) await target.close();
});

/** An HTTP server of this process that Signalbox checks, and whose answer a test changes as it goes. */
export class Target {
  /** When each request came, on this process's clock. */
  readonly asked: number[] = [];
  readonly paths = new Set<string>();
  /** A status, or whatever else it does. */
  answer: number | Answering = 200;
  /** Bytes that it could send over one connection at most. */
  mostSent = 0;
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(address: string) {
    this.address = address;
    this.#server = createServer((request, response) => {
      this.asked.push(performance.now());
      this.paths.add(request.url ?? '');
      if (typeof this.answer === 'number') response.writeHead(this.answer).end();
      else this.answer(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.mostSent = Math.max(this.mostSent, socket.bytesWritten);
      });
    });
  }

  static async listen(address = '127.0.0.1', port = 0): Promise<Target> {
    const target = new Target(address);
    await new Promise<void>((done, fail) => {
      target.#server.once('error', fail);
      target.#server.listen(port, address, done);
    });
    listening.add(target);
    return target;
  }

  static many(count: number): Promise<Target[]> {
    return Promise.all(Array.from({ length: count }, () => Target.listen()));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that it has now. */
  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    listening.delete(this);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}

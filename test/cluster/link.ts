import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../support/random.ts';

/** From whoever connects to the server: `up`. What the server says: `down`. */
export type Way = 'up' | 'down';

interface Delay {
  readonly ms: number;
  /** Each piece takes up to so much longer; the order stays. */
  readonly jitterMs: number;
}

/** Of one way, this much may wait; then the sender has to. */
const MAX_WAITING = 1024 * 1024;

/** A network between two programs that does what networks do: it is slow, it breaks, and it loses one way without saying so. */
export class Link {
  readonly url: string;
  readonly port: number;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #random: Pick<Random, 'next'>;
  readonly #pairs = new Set<Pair>();
  readonly #lost = new Set<Way>();
  #delay: Delay | undefined;
  #refuses = false;

  private constructor(target: URL, server: Server, random: Pick<Random, 'next'>) {
    this.#target = { host: target.hostname, port: Number(target.port) };
    this.#server = server;
    this.#random = random;
    this.port = (server.address() as AddressInfo).port;
    const url = new URL(target.href);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    this.url = url.href.replace(/\/$/, '');
    server.on('connection', (client: Socket) => this.#take(client));
  }

  static async open(target: string, random: Pick<Random, 'next'>): Promise<Link> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return new Link(new URL(target), server, random);
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Ends the connections there are; new ones work, unless they are refused. */
  cut(): void {
    for (const pair of this.#pairs) pair.destroy();
  }

  /** Ends the connections there are, and each new one at once. */
  refuse(): void {
    this.#refuses = true;
    this.cut();
  }

  /** From now on, everything takes longer on its way. */
  delay(ms: number, jitterMs = 0): void {
    this.#delay = { ms, jitterMs };
  }

  /** From now on, nothing that is sent this way arrives, not even the end of a connection. Connections stay, and new ones seem to work. */
  lose(way: Way): void {
    this.#lost.add(way);
  }

  /** Everything works again. What lost something cannot go on, and is ended. */
  heal(): void {
    this.#refuses = false;
    this.#delay = undefined;
    this.#lost.clear();
    for (const pair of this.#pairs) if (pair.hasLost) pair.destroy();
  }

  async close(): Promise<void> {
    this.#refuses = true;
    this.cut();
    await new Promise((done) => this.#server.close(done));
  }

  #take(client: Socket): void {
    if (this.#refuses) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const { host, port } = this.#target;
    const server = connect({ host, port, noDelay: true, allowHalfOpen: true });
    const rules = {
      isLost: (way: Way) => this.#lost.has(way),
      wait: () => (this.#delay === undefined ? 0 : this.#delay.ms + this.#random.next() * this.#delay.jitterMs),
    };
    const pair = new Pair(client, server, rules, () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
  }
}

interface Rules {
  readonly isLost: (way: Way) => boolean;
  /** Milliseconds for the next piece. */
  readonly wait: () => number;
}

/** One connection, as the two that it is made of. */
class Pair {
  hasLost = false;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #rules: Rules;

  constructor(client: Socket, server: Socket, rules: Rules, onEnd: () => void) {
    this.#client = client;
    this.#server = server;
    this.#rules = rules;
    this.#carry('up', client, server);
    this.#carry('down', server, client);
    let open = 2;
    const closed = (): void => {
      if ((open -= 1) === 0) onEnd();
    };
    client.on('close', closed);
    server.on('close', closed);
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #carry(way: Way, from: Socket, to: Socket): void {
    let waiting = 0;
    let last = Promise.resolve();
    let dueAt = 0;
    const later = (deed: () => void): void => {
      dueAt = Math.max(dueAt, performance.now() + this.#rules.wait());
      const due = dueAt;
      const isAtOnce = waiting === 0 && due <= performance.now();
      if (isAtOnce) return deed();
      waiting += 1;
      last = last
        .then(() => sleep(Math.max(0, due - performance.now())))
        .then(() => {
          waiting -= 1;
          deed();
        });
    };
    let bytes = 0;
    from.on('data', (data: Buffer) => {
      if (this.#isLost(way)) return;
      bytes += data.length;
      if (bytes + to.writableLength > MAX_WAITING) from.pause();
      later(() => {
        bytes -= data.length;
        if (this.#isLost(way)) return void from.resume();
        if (to.write(data)) from.resume();
      });
    });
    to.on('drain', () => from.resume());
    from.on('end', () => later(() => void (this.#isLost(way) || to.end())));
    from.on('error', () => {});
    from.on('close', () => later(() => void (this.#isLost(way) || to.destroy())));
  }

  #isLost(way: Way): boolean {
    if (!this.#rules.isLost(way)) return false;
    this.hasLost = true;
    return true;
  }
}

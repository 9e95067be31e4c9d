import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Lookup } from '../../src/health/resolve.ts';

/** One answer: addresses of either family, or `CNAME name` before them. */
export type Records = readonly string[];

const TYPES = { A: 1, CNAME: 5, AAAA: 28 } as const;

/** A DNS server on a real UDP socket that says what a test wants, and something else the next time if it wants that. */
export class DnsServer {
  readonly #socket: Socket = createSocket('udp4');
  /** By name; a function is asked anew at each question, with how often it has been. */
  readonly zone: Record<string, Records | ((time: number) => Records)> = {};
  /** Questions, as `A name`. */
  readonly asked: string[] = [];
  readonly #times = new Map<string, number>();

  static async open(): Promise<DnsServer> {
    const server = new DnsServer();
    server.#socket.on('message', (message, { address, port }) => {
      server.#socket.send(server.#answer(message), port, address);
    });
    server.#socket.bind(0, '127.0.0.1');
    await once(server.#socket, 'listening');
    return server;
  }

  close(): void {
    this.#socket.close();
  }

  /** Asks this server as a resolver of the operating system would: for both families, following CNAMEs. */
  lookup(): Lookup {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([`127.0.0.1:${this.#socket.address().port}`]);
    return async (host) => {
      const none = (): string[] => [];
      const [four, six] = await Promise.all([resolver.resolve4(host).catch(none), resolver.resolve6(host).catch(none)]);
      return [...four, ...six];
    };
  }

  #answer(question: Buffer): Buffer {
    const { name, type, end } = questionIn(question);
    const kind = type === TYPES.AAAA ? 'AAAA' : 'A';
    this.asked.push(`${kind} ${name}`);
    const entry = this.zone[name] ?? [];
    const time = (this.#times.get(`${kind} ${name}`) ?? 0) + 1;
    this.#times.set(`${kind} ${name}`, time);
    const records = typeof entry === 'function' ? entry(time) : entry;
    let owner = name;
    const answers: Buffer[] = [];
    for (const record of records) {
      if (record.startsWith('CNAME ')) {
        const to = record.slice('CNAME '.length);
        answers.push(resource(owner, TYPES.CNAME, encodeName(to)));
        owner = to;
      } else if (isIPv6(record) === (kind === 'AAAA')) {
        answers.push(resource(owner, TYPES[kind], kind === 'A' ? four(record) : six(record)));
      }
    }
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8580, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    return Buffer.concat([header, question.subarray(12, end), ...answers]);
  }
}

function questionIn(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

const encodeName = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);

/** Class IN, and good for no time at all. */
function resource(owner: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(owner), fixed, data]);
}

const four = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** Written in full: eight words. */
const six = (address: string): Buffer =>
  Buffer.concat(
    address.split(':').map((word) => {
      const bytes = Buffer.alloc(2);
      bytes.writeUInt16BE(Number.parseInt(word, 16));
      return bytes;
    }),
  );

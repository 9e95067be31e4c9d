import { afterAll } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { until } from '../acceptance/until.ts';

/** What one server has seen. */
export interface Counts {
  readonly port: number;
  readonly requests: number;
  /** Connections that are open now, and all that ever were. */
  readonly open: number;
  readonly opened: number;
}

// Plain node:http in a process of its own, so that what is counted is not what counts.
const SCRIPT = `
const http = require('node:http');
const delay = Number(process.argv[1]);
const servers = [];
process.on('disconnect', () => process.exit());
process.on('message', ({ add, clear }) => {
  for (let n = 0; n < (add ?? 0); n++) {
    const counts = { port: 0, requests: 0, open: 0, opened: 0 };
    const server = http.createServer({ keepAliveTimeout: 60000 }, (request, response) => {
      counts.requests++;
      request.resume();
      if (delay > 0) setTimeout(() => response.end(String(counts.port)), delay);
      else response.end(String(counts.port));
    });
    server.on('connection', (socket) => {
      counts.open++;
      counts.opened++;
      socket.on('error', () => {}).on('close', () => counts.open--);
    });
    server.listen(0, '127.0.0.1', () => {
      counts.port = server.address().port;
      servers.push(counts);
      process.send(servers);
    });
  }
  if (clear) for (const counts of servers) counts.requests = 0;
  if (!add) process.send(servers);
});
`;

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Servers that answer with their port, after so many milliseconds, and count. */
export class CountingServers {
  readonly #child: ChildProcess;
  #last: readonly Counts[] = [];
  #answers = 0;

  constructor(delayMs = 0) {
    this.#child = spawn(process.execPath, ['-e', SCRIPT, String(delayMs)], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    running.add(this.#child);
    this.#child.on('message', (counts: readonly Counts[]) => {
      this.#last = counts;
      this.#answers += 1;
    });
  }

  /** The ports of so many more. */
  async add(count: number): Promise<number[]> {
    const before = new Set(this.#last.map(({ port }) => port));
    this.#child.send({ add: count });
    await until('servers listen', () => this.#last.length === before.size + count);
    return this.#last.map(({ port }) => port).filter((port) => !before.has(port));
  }

  /** Since `clear`, as far as requests go. */
  async counts(): Promise<readonly Counts[]> {
    return this.#ask({});
  }

  async clear(): Promise<void> {
    await this.#ask({ clear: true });
  }

  async #ask(what: object): Promise<readonly Counts[]> {
    const before = this.#answers;
    this.#child.send(what);
    await until('servers tell what they counted', () => this.#answers > before);
    return this.#last;
  }
}

import { afterAll } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Registered } from './instance-api.ts';
import { until } from './until.ts';

/** What a child does once it is told to go. All of them end with this process. */
export type Role =
  /** Listens, and answers 200 on these paths, and 404 elsewhere. */
  | { readonly role: 'http'; readonly address?: string; readonly port?: number; readonly paths: readonly string[] }
  /** Listens on each of these addresses on so many ports, answers 200 and counts. */
  | { readonly role: 'many'; readonly addresses: readonly string[]; readonly ports: number }
  /** Registers over HTTP, and renews its lease every so often. */
  | { readonly role: 'lease'; readonly url: string; readonly body: object; readonly everyMs: number }
  /** Registers over a watch socket. Sends a frame of that type every so often; without a type, only pongs. */
  | {
      readonly role: 'socket';
      readonly url: string;
      readonly body: object;
      readonly frame?: 'renew' | 'ping';
      readonly everyMs: number;
    };

// Plain JavaScript: a hundred of them have to start within seconds.
const SCRIPT = `
const role = JSON.parse(process.argv[1]);
const http = require('node:http');
const say = (message) => process.send(message);
process.on('disconnect', () => process.exit());

const listen = (server, port, address) =>
  new Promise((done, fail) => server.once('error', fail).listen(port, address, () => done(server.address().port)));

const post = (path, body, done) => {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const request = http.request(role.url + path, { method: 'POST', agent, headers }, (response) => {
    let answer = '';
    response.on('data', (data) => (answer += data));
    response.on('end', () => done(response.statusCode, answer));
  });
  request.on('error', (error) => say({ error: error.message }));
  request.end(text);
};
const agent = new http.Agent({ keepAlive: true });

const roles = {
  async http() {
    const server = http.createServer((request, response) =>
      response.writeHead(role.paths.includes(request.url) ? 200 : 404).end());
    say({ port: await listen(server, role.port ?? 0, role.address ?? '127.0.0.1') });
  },
  async many() {
    const asked = [];
    const servers = [];
    for (const address of role.addresses) {
      for (let i = 0; i < role.ports; i++) {
        const server = http.createServer((request, response) => {
          asked.push(Date.now());
          response.end();
        });
        servers.push({ address, port: await listen(server, 0, address) });
      }
    }
    process.on('message', ({ take }) => take && say({ asked: asked.splice(0) }));
    say({ servers });
  },
  lease() {
    post('/v1/instances', role.body, (status, answer) => {
      if (status !== 201) return say({ error: status + ' ' + answer });
      const registered = JSON.parse(answer);
      say({ registered });
      setInterval(() => post('/v1/instances/' + registered.id + '/renew', undefined, (code) => {
        if (code !== 204) say({ error: 'renewed: ' + code });
      }), role.everyMs);
    });
  },
  socket() {
    const WebSocket = require('ws');
    const ws = new WebSocket(role.url.replace('http', 'ws') + '/v1/watch', 'signalbox.v1');
    ws.on('error', (error) => say({ error: error.message }));
    ws.on('close', (code) => say({ error: 'closed: ' + code }));
    ws.on('message', (data) => {
      const frame = JSON.parse(data);
      if (frame.type === 'welcome') ws.send(JSON.stringify({ type: 'register', id: 'me', instance: role.body }));
      if (frame.type === 'error' || frame.unknown?.length > 0) say({ error: String(data) });
      if (frame.type !== 'registered') return;
      say({ registered: frame.instance });
      if (role.frame === undefined) return;
      setInterval(() => ws.send(JSON.stringify({ type: role.frame })), role.everyMs);
    });
  },
};
process.on('message', ({ go }) => go && roles[role.role]());
say({ up: true });
`;

/** What a registration is answered with, over HTTP and over a socket alike. */
export type Registration = Pick<Registered, 'id' | 'name' | 'generation' | 'lease' | 'detectionBound'>;

interface Said {
  readonly up?: true;
  readonly port?: number;
  readonly servers?: readonly { readonly address: string; readonly port: number }[];
  readonly asked?: readonly number[];
  readonly registered?: Registration;
  readonly error?: string;
}

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A process of its own, which can be killed as a process is. */
export class Child {
  readonly pid: number;
  /** When it was killed, on this process's clock: from then on it does nothing any more. */
  killedAt: number | undefined;
  readonly #child: ChildProcess;
  readonly #said: Said[] = [];
  #error: string | undefined;

  private constructor(role: Role) {
    this.#child = spawn(process.execPath, ['-e', SCRIPT, JSON.stringify(role)], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    running.add(this.#child);
    this.#child.on('exit', () => running.delete(this.#child));
    this.#child.on('message', (said: Said) => {
      this.#said.push(said);
      this.#error ??= said.error;
    });
    this.#child.on('error', (error) => (this.#error ??= error.message));
    this.pid = this.#child.pid ?? 0;
  }

  /** Resolves once the process is up; it does nothing before it is told to go. */
  static async start(role: Role): Promise<Child> {
    const child = new Child(role);
    await child.#hear('up');
    return child;
  }

  static async listening(paths: readonly string[], port = 0): Promise<{ child: Child; port: number }> {
    const child = await Child.start({ role: 'http', paths, port });
    return { child, port: await child.listens() };
  }

  /** What went wrong, as far as it has said. */
  get error(): string | undefined {
    return this.#error;
  }

  /** Of `http`: its port. */
  async listens(): Promise<number> {
    this.#child.send({ go: true });
    return this.#hear('port');
  }

  /** Of `many`: where it listens. */
  async servers(): Promise<NonNullable<Said['servers']>> {
    this.#child.send({ go: true });
    return this.#hear('servers');
  }

  /** Of `lease` and `socket`. */
  async registers(): Promise<Registration> {
    this.#child.send({ go: true });
    return this.#hear('registered');
  }

  /** Of `many`: when requests came since it was last asked, in milliseconds since 1970. */
  async asked(): Promise<readonly number[]> {
    const from = this.#said.length;
    this.#child.send({ take: true });
    return this.#hear('asked', from);
  }

  /** kill -9. Resolves once it is reaped. */
  async kill(): Promise<void> {
    if (!running.has(this.#child)) return;
    const ended = once(this.#child, 'exit');
    this.killedAt = performance.now();
    this.#child.kill('SIGKILL');
    await ended;
  }

  async #hear<K extends keyof Said>(what: K, from = 0): Promise<NonNullable<Said[K]>> {
    const said = await until(
      `a child says ${what}`,
      () => {
        if (this.#error !== undefined) throw new Error(`a child has failed: ${this.#error}`);
        return this.#said.slice(from).find((one) => one[what] !== undefined);
      },
      60_000,
    );
    return said[what] as NonNullable<Said[K]>;
  }
}

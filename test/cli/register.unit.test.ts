import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { freePort } from '../support/free-port.ts';
import { EXIT } from '../../src/cli/errors.ts';
import { run } from '../../src/cli/program.ts';
import type { EndSignal } from '../../src/cli/io.ts';
import { AnsweringServer, problem, terminal } from './terminal.ts';

const ID = '3f1c0e9ab2d44c5e8f7a6b21';
const server = new AnsweringServer();

beforeAll(() => server.start());
afterAll(() => server.stop());

let port: number;
/** What a real service says of itself when it is asked to end. */
const SERVICE = `
  const server = require('node:http').createServer((q, s) => s.end('ok')).listen(+process.argv[1], '127.0.0.1');
  process.on('SIGTERM', () => process.exit(7));
  process.on('SIGINT', () => process.exit(8));
`;

beforeEach(async () => {
  port = await freePort();
  server.reset();
  server.answers['POST /v1/instances'] = (reply) =>
    reply
      .code(201)
      .send({ id: ID, name: `instances/${ID}`, generation: 4, revision: 4, lease: '500ms', detectionBound: '1500ms' });
  server.answers[`POST /v1/instances/${ID}/renew`] = (reply) => reply.code(204).send();
  server.answers[`DELETE /v1/instances/${ID}`] = () => ({ deleted: true });
});

const asked = (): string[] => server.seen.map(({ method, url }) => `${method} ${url}`);
const REGISTERED = 'POST /v1/instances';
const RENEWED = `POST /v1/instances/${ID}/renew`;
const DEREGISTERED = `DELETE /v1/instances/${ID}?generation=4`;

const open: { signal: (signal: EndSignal) => void; done: Promise<number> }[] = [];
afterEach(async () => {
  for (const { signal, done } of open.splice(0)) {
    const timer = setInterval(() => signal('SIGTERM'), 50);
    await done;
    clearInterval(timer);
  }
});

function register(
  args: readonly string[],
  command: readonly string[] = [process.execPath, '-e', SERVICE, String(port)],
) {
  const { io, ran } = terminal({ env: { SIGNALBOX_URL: server.url } });
  const all = ['register', '--service', 'orders.example.com', '--port', String(port), ...args];
  const done = run(command.length === 0 ? all : [...all, '--', ...command], io);
  open.push({ signal: ran.signal, done });
  const until = async (holds: () => boolean): Promise<void> => {
    const deadline = performance.now() + 8000;
    while (!holds()) {
      if (performance.now() > deadline)
        throw new Error(`never: ${holds.toString()}\n${asked().join('\n')}\n${ran.err}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { ran, done, until };
}
const count = (what: string): number => asked().filter((one) => one === what).length;

describe('signalbox register', () => {
  test('registers once the port is open, renews, and deregisters before a signal is passed on', async () => {
    const { ran, done, until } = register([
      '--ttl',
      '500ms',
      '--tag',
      'zone=a',
      '--meta',
      'note=a,b=c',
      '--region',
      'eu',
    ]);
    await until(() => count(RENEWED) >= 2);
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      url: '/v1/instances',
      body: {
        service: 'orders.example.com',
        protocol: 'http',
        address: '127.0.0.1',
        port,
        region: 'eu',
        tags: { zone: 'a' },
        metadata: { note: 'a,b=c' },
        check: { type: 'ttl', ttl: '500ms' },
      },
    });
    expect(server.seen[1]?.body).toEqual({ generation: 4 });
    const answered = server.answers[`DELETE /v1/instances/${ID}`];
    let livedThen = false;
    server.answers[`DELETE /v1/instances/${ID}`] = async (reply, query) => {
      livedThen = await fetch(`http://127.0.0.1:${port}/`).then((response) => response.ok);
      return answered?.(reply, query);
    };
    ran.signal('SIGTERM');
    expect(await done).toBe(7);
    expect(livedThen).toBe(true);
    expect(count(REGISTERED)).toBe(1);
    expect(asked().at(-1)).toBe(DEREGISTERED);
    expect(ran.out).toBe('');
    expect(ran.err).toBe(
      `signalbox: registered: orders.example.com http://127.0.0.1:${port} is ${ID}, a lease of 500ms; when it dies, its callers are told within 1500ms\n`,
    );
  });

  test('a command that ends is deregistered, and its exit code is that of this command', async () => {
    const ends = `${SERVICE}; setTimeout(() => process.exit(3), 1500)`;
    const { done } = register([], [process.execPath, '-e', ends, String(port)]);
    expect(await done).toBe(3);
    expect(asked().at(-1)).toBe(DEREGISTERED);
  });

  test('one that a signal has ended is 128 and its number; what did not come to register is not deregistered', async () => {
    const { done } = register([], [process.execPath, '-e', "process.kill(process.pid, 'SIGKILL')"]);
    expect(await done).toBe(137);
    expect(asked()).toEqual([]);
  });

  test('a command that is not there is an error before anything is registered', async () => {
    const { ran, done } = register([], ['/no/such/command']);
    expect(await done).toBe(EXIT.failed);
    expect(ran.err).toContain('/no/such/command cannot be started.\nthere is no such command.');
    expect(asked()).toEqual([]);
  });

  test('registers again what Signalbox has lost', async () => {
    const { ran, until } = register(['--ttl', '500ms']);
    await until(() => count(RENEWED) >= 1);
    server.answers[`POST /v1/instances/${ID}/renew`] = (reply) => problem(reply, 404, 'not-found', {});
    await until(() => count(REGISTERED) === 2);
    await until(() => ran.err.includes('registered again'));
  });

  test('goes on while Signalbox is away, says so once, and says when it is back', async () => {
    const { ran, until } = register(['--ttl', '500ms']);
    await until(() => count(RENEWED) >= 1);
    const renewed = server.answers[`POST /v1/instances/${ID}/renew`];
    server.answers[`POST /v1/instances/${ID}/renew`] = (reply) =>
      problem(reply, 503, 'not-ready', { detail: 'Not yet.' });
    const before = count(RENEWED);
    await until(() => count(RENEWED) >= before + 4);
    if (renewed !== undefined) server.answers[`POST /v1/instances/${ID}/renew`] = renewed;
    await until(() => ran.err.includes('Signalbox is back'));
    expect(ran.err.match(/cannot be asked now, trying again: Not yet\./g)).toHaveLength(1);
    expect(count(REGISTERED)).toBe(1);
  });

  test('a refusal is told with its reason, and the command runs on', async () => {
    server.answers['POST /v1/instances'] = (reply) =>
      problem(reply, 400, 'invalid', { errors: [{ pointer: '/service', detail: 'is not in the catalog' }] });
    const { ran, until, done } = register([]);
    await until(() => ran.err.includes('/service  is not in the catalog'));
    expect((await fetch(`http://127.0.0.1:${port}/`)).ok).toBe(true);
    ran.signal('SIGINT');
    expect(await done).toBe(8);
    expect(count(DEREGISTERED)).toBe(0);
  });

  test('Signalbox does not hold up the end of a command for more than two seconds', async () => {
    const { ran, until, done } = register([]);
    await until(() => ran.err.includes('registered'));
    server.answers[`DELETE /v1/instances/${ID}`] = () => new Promise(() => {});
    const startedAt = performance.now();
    ran.signal('SIGTERM');
    expect(await done).toBe(7);
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });

  test('with --json what it says is lines of JSON', async () => {
    const { ran, until } = register(['--json', '--check', 'http:/health/{serviceId}', '--interval', '1s']);
    await until(() => ran.err !== '');
    expect(JSON.parse(ran.err)).toMatchObject({ event: 'registered', id: ID, generation: 4 });
    expect(server.seen[0]?.body).toMatchObject({
      check: { type: 'http', path: '/health/{serviceId}', interval: '1s' },
    });
  });
});

describe('signalbox register without a command', () => {
  let elsewhere: Server;
  beforeEach(async () => {
    elsewhere = createServer((_request, response) => response.end()).listen(port, '127.0.0.1');
    await once(elsewhere, 'listening');
  });
  afterEach(async () => {
    elsewhere.closeAllConnections();
    if (elsewhere.listening) await new Promise((resolve) => elsewhere.close(resolve));
  });

  test('keeps the registration of what runs elsewhere, until Ctrl-C', async () => {
    const { ran, until, done } = register([], []);
    await until(() => count(RENEWED) >= 1);
    ran.signal('SIGINT');
    expect(await done).toBe(EXIT.ok);
    expect(asked().at(-1)).toBe(DEREGISTERED);
  });

  test('a refusal, and a port that nobody opens, are its end', async () => {
    server.answers['POST /v1/instances'] = (reply) => problem(reply, 409, 'conflict', { detail: 'No.' });
    const refused = register([], []);
    expect(await refused.done).toBe(EXIT.failed);
    expect(refused.ran.err).toContain('Title of conflict. (409 conflict)\nNo.');
    elsewhere.close();
    const closed = register(['--wait', '200ms'], []);
    expect(await closed.done).toBe(EXIT.failed);
    expect(closed.ran.err).toContain(`Nothing takes connections at 127.0.0.1:${port}.\n200ms were waited`);
  });

  test('says where it is by the environment, and does not look with --no-wait', async () => {
    const { io, ran } = terminal({ env: { SIGNALBOX_URL: server.url, POD_IP: '10.9.8.7' } });
    const done = run(['register', '--service', 'a.b', '--port', '1', '--no-wait', '--check', 'tcp'], io);
    open.push({ signal: ran.signal, done });
    while (ran.err === '') await new Promise((resolve) => setTimeout(resolve, 5));
    expect(server.seen[0]?.body).toMatchObject({ address: '10.9.8.7', port: 1, check: { type: 'tcp' } });
  });
});

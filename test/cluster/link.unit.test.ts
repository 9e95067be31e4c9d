import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../acceptance/until.ts';
import { Random } from '../support/random.ts';
import { Link } from './link.ts';

/** Longer than anything takes that is not held up. */
const WHILE_MS = 150;

describe('a link', () => {
  let server: Server;
  let link: Link;
  let heard = '';
  const served = new Set<Socket>();
  const opened: Socket[] = [];

  beforeEach(async () => {
    heard = '';
    served.clear();
    server = createServer((socket) => {
      served.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => served.delete(socket));
      socket.on('data', (data) => {
        heard += data.toString();
        socket.write(data);
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    link = await Link.open(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, new Random(1));
  });

  afterEach(async () => {
    for (const socket of [...opened.splice(0), ...served]) socket.destroy();
    await link.close();
    await new Promise((done) => server.close(done));
  });

  /** Somebody on the near side, and what came back to them. */
  async function open(): Promise<{ socket: Socket; text: () => string; isOpen: () => boolean }> {
    const socket = connect(link.port, '127.0.0.1');
    opened.push(socket);
    let text = '';
    let isOpen = true;
    socket.on('data', (data) => (text += data.toString()));
    socket.on('error', () => {});
    socket.on('close', () => (isOpen = false));
    await once(socket, 'connect');
    return { socket, text: () => text, isOpen: () => isOpen };
  }

  test('carries both ways, much of it, and the end', async () => {
    const one = await open();
    const much = 'x'.repeat(3_000_000);
    one.socket.write(much);
    await until('all of it has come back', () => one.text().length === much.length);
    one.socket.end();
    await until('the end has come', () => !one.isOpen() && link.connections === 0);
  });

  test('cut: connections end on both sides, new ones work', async () => {
    const one = await open();
    await until('it is through', () => served.size === 1);
    link.cut();
    await until('both sides have ended', () => !one.isOpen() && served.size === 0);
    const two = await open();
    two.socket.write('again');
    await until('it works', () => two.text() === 'again');
  });

  test('refuse: new ones end at once, until it is healed', async () => {
    const one = await open();
    link.refuse();
    const two = await open().catch(() => undefined);
    await until('both have ended', () => !one.isOpen() && two?.isOpen() !== true && served.size === 0);
    link.heal();
    const three = await open();
    three.socket.write('again');
    await until('it works', () => three.text() === 'again');
  });

  test('delay: everything comes, in order, and later', async () => {
    const one = await open();
    link.delay(60, 40);
    const began = performance.now();
    for (let i = 0; i < 10; i++) {
      one.socket.write(`${i}`);
      await sleep(5);
    }
    await until('all of it has come back', () => one.text() === '0123456789');
    expect(performance.now() - began).toBeGreaterThanOrEqual(120);
  });

  test('half-open: what the server says is lost, and what it is told arrives', async () => {
    const one = await open();
    link.lose('down');
    one.socket.write('hello');
    await until('it was told', () => heard === 'hello');
    await sleep(WHILE_MS);
    expect([one.text(), one.isOpen(), served.size]).toEqual(['', true, 1]);
    // Nor does its end arrive.
    for (const socket of served) socket.destroy();
    await sleep(WHILE_MS);
    expect(one.isOpen()).toBe(true);
    link.heal();
    await until('what lost something has ended', () => !one.isOpen());
  });

  test('half-open: what the server is told is lost, and what it says arrives', async () => {
    const one = await open();
    await until('it is through', () => served.size === 1);
    link.lose('up');
    one.socket.write('hello');
    for (const socket of served) socket.write('anybody there?');
    await until('it is heard', () => one.text() === 'anybody there?');
    await sleep(WHILE_MS);
    expect([heard, one.isOpen(), served.size]).toEqual(['', true, 1]);
  });

  test('healed, those that lost nothing go on', async () => {
    const one = await open();
    link.lose('up');
    link.heal();
    one.socket.write('hello');
    await until('it works', () => one.text() === 'hello');
  });
});

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { LiveNode } from '../feed/live-node.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { blocksOf } from '../support/ts-blocks.ts';
import { until } from '../acceptance/until.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023',
    module: 'NodeNext',
    paths: { 'signalbox/client': [resolve('src/sdk/index.ts')], 'signalbox/kit': [resolve('src/kit/index.ts')] },
  },
};

/** The program of the page, on any free port, which calls another service before it answers. */
function program(): string {
  const block = blocksOf('docs/kit.md').find(({ heading }) => heading === 'Express and `node:http`');
  if (block === undefined) throw new Error('the page has no such program');
  const lines = [...block.imports, block.code, 'process.disconnect?.();'];
  const calling = `void (async () => {
    const payments = client.service('payments.example.com');
    const texts = [await (await payments.fetch('/first')).text(), await (await payments.fetch('/second')).text()];
    response.end(texts.join(' '));
  })()`;
  return lines.join('\n').replace('8080', '0').replace(`response.end('hello')`, calling);
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'the program of docs/kit.md for node:http answers on %s what is under way, calls others until then, and ends with 0',
  async (signal) => {
    const node = await LiveNode.open();
    leftovers.push(() => node.close());
    const held: ServerResponse[] = [];
    const payments = createServer((request, response) => {
      if (request.url === '/first') held.push(response);
      else response.end('second');
    });
    payments.listen(0, '127.0.0.1');
    await once(payments, 'listening');
    leftovers.push(() => (payments.closeAllConnections(), payments.close()));
    const directory = temporaryDirectory();
    leftovers.push(() => directory.remove());
    symlinkSync(resolve('node_modules'), join(directory.path, 'node_modules'));
    writeFileSync(join(directory.path, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(directory.path, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    writeFileSync(join(directory.path, 'program.ts'), program());

    const child = fork(join(directory.path, 'program.ts'), {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      execArgv: ['--import', import.meta.resolve('tsx')],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        TSX_TSCONFIG_PATH: join(directory.path, 'tsconfig.json'),
        SIGNALBOX_URL: node.url,
        POD_IP: '127.0.0.1',
        PAYMENTS_URL: `http://127.0.0.1:${(payments.address() as AddressInfo).port}`,
      },
    });
    leftovers.push(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    const instances = async (): Promise<{ port: number }[]> =>
      (
        (await (await fetch(`${node.url}/v1/services/orders.example.com/instances`)).json()) as {
          items: { port: number }[];
        }
      ).items;
    const { port } = await until('it is registered', async () => (await instances())[0]);
    const answer = fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
    await until('it has called the other one', () => held.length === 1);
    child.kill(signal);
    await until('it is deregistered', async () => (await instances()).length === 0);
    // Longer than callers have to hear of it; the client is still there.
    await new Promise((done) => setTimeout(done, 1500));
    held[0]?.end('first');
    expect(await answer).toBe('first second');
    expect(await closed).toEqual([0, null]);
  },
  30_000,
);

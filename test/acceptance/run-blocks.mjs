/**
 * Runs blocks of documentation one after the other, each with a client of its own, and prints as JSON what each of them has said and
 * how it ended: `node run-blocks.mjs NAME...`, with modules beside it. What waits for changes for ever ends when its client is closed.
 */
import { createServer } from 'node:http';
import { connect, portOf } from 'signalbox/client';

const LONG_ENOUGH_MS = 1000;

async function listening() {
  const server = createServer((request, response) => {
    request.resume();
    response.end(`${request.method} ${request.url}`);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

/** Of the blocks; one that is registered there does not displace whom they call (INS6). */
const server = await listening();
const backend = connect();
await backend.register({
  service: 'orders.example.com',
  version: 'v1',
  address: '127.0.0.1',
  port: portOf(await listening()),
});

async function run(name) {
  const said = [];
  const { log } = console;
  console.log = (...parts) => said.push(parts.map(String).join(' '));
  const client = connect();
  const orders = client.service('orders.example.com');
  await orders.ready();
  const timer = setTimeout(() => void client.close(), LONG_ENOUGH_MS);
  let failed;
  try {
    const block = await import(`./${name}.mjs`);
    await block.default(client, orders, server, undefined, { getItem: () => null });
  } catch (error) {
    failed = String(error?.stack ?? error);
  }
  clearTimeout(timer);
  await client.close();
  console.log = log;
  return { name, said, failed };
}

const results = [];
for (const name of process.argv.slice(2)) results.push(await run(name));
await backend.close();
console.log(JSON.stringify(results));
// Blocks need not clean up behind them.
process.exit(0);

import { afterEach, expect, test } from '@jest/globals';
import { nodeServices } from '../../../src/sdk/node-services.ts';
import { realTime } from '../../../src/sdk/time.ts';
import { Peer, rigOf, until } from './peers.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Begins an answer, and never ends it, as a stream of events does. */
async function endless(): Promise<Peer> {
  const made = await Peer.http((_request, response) => void response.write('first'));
  ends.push(() => made.stop());
  return made;
}

test('close cuts after its time also what is under way at an instance that is gone', async () => {
  const [gone, left] = [await endless(), await endless()];
  const { fetch, targets, calls } = rigOf([gone.endpoint, left.endpoint]);
  const answers = [await fetch('/'), await fetch('/')];
  targets.remove(gone.endpoint);
  await calls.close({ timeoutMs: 30 });
  for (const answer of answers) await expect(answer.text()).rejects.toThrow();
  await until(() => gone.openSockets === 0 && left.openSockets === 0);
}, 10_000);

test('the end of a client cuts after its time also the calls of a service that was closed before', async () => {
  const server = await endless();
  const services = nodeServices({
    source: () => {
      throw new Error('it is not asked for');
    },
    options: { overrides: { 'orders.example.com': server.endpoint.url } },
    env: {},
    time: realTime,
    random: Math.random,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onError: () => {},
  });
  const orders = services.service('orders.example.com');
  const answer = await orders.fetch('/');
  orders.close();
  // It is drained, not cut, while the client lives.
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.openSockets).toBe(1);
  await services.close({ timeoutMs: 30 });
  await expect(answer.text()).rejects.toThrow();
  await until(() => server.openSockets === 0);
}, 10_000);

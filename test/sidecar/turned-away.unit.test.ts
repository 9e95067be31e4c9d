import { afterEach, expect, test } from '@jest/globals';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { loadSidecarConfig } from '../../src/sidecar/config/read.ts';
import { SdkNetwork } from '../../src/sidecar/sdk-network.ts';
import { startSidecar } from '../../src/sidecar/sidecar.ts';
import { until } from '../acceptance/until.ts';
import { LiveNode } from '../feed/live-node.ts';
import { Ends, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

test('a sidecar that Signalbox turns away for good calls on, counts and logs it, and does not say that it stops', async () => {
  const orders = await upstream(ends, (_request, response) => response.end('good'));
  // Nobody is cut off for being slow: all are there when they are turned away.
  const node = await LiveNode.open({ limits: { heartbeatMs: 10_000, stallTimeoutMs: 30_000 } });
  ends.add(() => node.close());
  await node.register({ address: '127.0.0.1', port: Number(new URL(orders.url).port) });
  const loaded = loadSidecarConfig(
    `
signalbox: {urls: ["${node.url}"]}
metrics: {port: 0}
egress: {port: 0, routes: [{prefix: /orders, service: orders.example.com}]}
`,
    {},
  );
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  const logged: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (_: object, message: string) => void logged.push(message) };
  const network = new SdkNetwork(loaded.config, { log, env: {} });
  const answer = { status: 401, body: {} };
  const sidecar = await startSidecar(loaded.config, {
    network,
    guard: { check: () => Promise.resolve({ type: 'refused', subject: 'x', why: 'test', answer }) },
    own: { serverInfo: () => answer, listLoggers: () => answer, setLoggers: () => answer },
    log,
    id: 'one',
  });
  ends.add(() => sidecar.close());
  const { egress, metrics } = sidecar.ports;
  const call = (path: string, headers = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${egress}${path}`, { headers });
  const turnedAway = async (): Promise<string | undefined> => {
    const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    return /^sidecar_turned_away (\d)$/m.exec(text)?.[1];
  };
  await until('the instance is known', async () => (await call('/orders/1')).status === 200, 10_000);
  expect(await turnedAway()).toBe('0');

  for (const peer of node.hub.subscribers) peer.close(CLOSE.accessEnded, 'this caller may not watch any more');
  await until('it has heard', async () => (await turnedAway()) === '1', 10_000);
  const after = await call('/orders/1');
  expect([after.status, await after.text()]).toEqual([200, 'good']);
  expect(logged).toEqual(['Signalbox has turned this client away for good: this caller may not watch any more']);
  const unknown = await call('/', { service_id: 'payments.example.com' });
  expect([unknown.status, unknown.headers.get('signalbox-unsent'), await unknown.json()]).toEqual([
    502,
    'true',
    expect.objectContaining({ detail: expect.stringContaining('this caller may not watch any more') }),
  ]);
});

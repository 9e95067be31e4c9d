import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { BackendWatch } from '../../src/sidecar/ingress/backend-watch.ts';
import { afterLook, UNKNOWN, type BackendHealth } from '../../src/sidecar/ingress/health-plan.ts';
import { lookAt } from '../../src/sidecar/ingress/look.ts';
import { Registrar } from '../../src/sidecar/ingress/registrar.ts';
import { EngineNetwork } from './engine-network.ts';
import { Ends, nobody, upstream } from './egress-rig.ts';

const SIGNS = { unknown: '?', healthy: '+', unhealthy: '-' } as const;
const LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('one good look makes it healthy, some bad ones in a row give it up', () => {
  const statuses = (looks: string): string => {
    let health: BackendHealth = UNKNOWN;
    return looks
      .split('')
      .map((look) => SIGNS[(health = afterLook(health, look === '+', 3)).status])
      .join('');
  };
  expect(statuses('--+--+---+')).toBe('??++++++-+');
  expect(statuses('---')).toBe('??-');
  expect(afterLook(afterLook(UNKNOWN, false, 1), false, 1)).toEqual({ status: 'unhealthy', failuresInARow: 2 });
});

test('a look says what is wrong', async () => {
  const ends = new Ends();
  let status = 200;
  const up = await upstream(ends, (request, response) => {
    if (request.url === '/slow') return;
    response.writeHead(status).end();
  });
  const look = (path?: string, url = up.url) => lookAt(url, path)(AbortSignal.timeout(200));
  expect(await look('/health')).toBeUndefined();
  status = 503;
  expect(await look('/health')).toMatch(/answered 503$/);
  expect(await look('/slow')).toMatch(/did not answer in time$/);
  expect(await look()).toBeUndefined();
  const gone = await nobody();
  expect(await look('/health', gone)).toMatch(/ECONNREFUSED/);
  expect(await look(undefined, gone)).toMatch(/takes no connection \(ECONNREFUSED\)/);
  await ends.all();
});

test('the backend is registered while it is healthy', async () => {
  const network = new EngineNetwork();
  const registrar = new Registrar(network, { service: 'orders.example.com', port: 1 }, LOG);
  let wrong: string | undefined = 'not yet';
  const watch = new BackendWatch({
    look: () => Promise.resolve(wrong),
    intervalMs: 5,
    timeoutMs: 100,
    unhealthyAfter: 3,
    onChange: (healthy) => void registrar.set(healthy),
  });
  watch.start();
  await sleep(30);
  expect(network.registrations).toHaveLength(0);
  wrong = undefined;
  while (network.registrations.length === 0) await sleep(5);
  expect(watch.isHealthy).toBe(true);
  wrong = 'gone';
  while (network.deregistered.length === 0) await sleep(5);
  wrong = undefined;
  while (network.registrations.length < 2) await sleep(5);
  watch.stop();
  await registrar.set(false);
  expect(network.deregistered).toHaveLength(2);
  expect(registrar.state).toBe('gone');
});

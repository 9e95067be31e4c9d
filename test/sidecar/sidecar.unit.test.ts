import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { loadSidecarConfig } from '../../src/sidecar/config/read.ts';
import type { SidecarConfig } from '../../src/sidecar/config/settings.ts';
import { check } from '../../src/sidecar/check.ts';
import { startSidecar, type Sidecar } from '../../src/sidecar/sidecar.ts';
import { EngineNetwork } from './engine-network.ts';
import { Ends, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

const LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const FREE_PORTS = `
metrics: {port: 0}
shutdown: {settle: 100ms, drain: 1s}
egress: {port: 0, routes: [{prefix: /orders, service: orders.example.com}]}
`;

function configOf(yaml: string): SidecarConfig {
  const loaded = loadSidecarConfig(yaml, {});
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  return loaded.config;
}

async function started(config: SidecarConfig, network: EngineNetwork): Promise<Sidecar> {
  const answer = { status: 401, body: { status: 401, detail: 'no' } };
  const sidecar = await startSidecar(config, {
    network,
    guard: { check: () => Promise.resolve({ type: 'refused', subject: 'x', why: 'test', answer }) },
    own: { serverInfo: () => answer, listLoggers: () => answer, setLoggers: () => answer },
    log: LOG,
    id: 'one',
  });
  ends.add(() => sidecar.close());
  return sidecar;
}

test('it registers a healthy backend, routes both ways, counts, and deregisters before it drains', async () => {
  let release: (() => void) | undefined;
  const backend = await upstream(ends, (request, response) => {
    if (request.url === '/slow') release = () => response.end('slow');
    else response.end(`backend ${request.url}`);
  });
  const orders = await upstream(ends, (request, response) => response.end(`orders ${request.url}`));
  const network = new EngineNetwork();
  network.services.set('orders.example.com', [orders.url]);
  const config = configOf(`${FREE_PORTS}
environment: prod
ingress: {service: web.example.com, host: 127.0.0.1, port: 0, backend: "${backend.url}", healthInterval: 50ms, version: v2, tags: {a: b}, lease: 90s}`);
  const sidecar = await started(config, network);
  const { egress, ingress, metrics } = sidecar.ports;
  while (network.registrations.length === 0) await sleep(5);
  expect(network.registrations).toEqual([
    {
      service: 'web.example.com',
      port: ingress,
      protocol: 'http',
      weight: 1,
      tags: { a: 'b' },
      environment: 'prod',
      version: 'v2',
      check: { type: 'ttl', ttl: '90s' },
    },
  ]);
  expect(network.selections).toEqual([expect.objectContaining({ service: 'orders.example.com', environment: 'prod' })]);
  const get = async (port: number | undefined, path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  const askedAt = performance.now();
  expect(await get(egress, '/orders/1')).toBe('orders /1');
  expect(await get(ingress, '/x')).toBe('backend /x');
  expect(await get(ingress, '/health')).toBe('OK');
  const text = await get(metrics, '/metrics');
  expect(text).toContain('sidecar_requests_total{direction="egress",service="orders.example.com",status="2xx"} 1');
  expect(text).toContain('sidecar_requests_total{direction="ingress",service="web.example.com",status="2xx"} 2');
  expect(text).toContain('# TYPE sidecar_request_duration_seconds histogram');
  expect(text).toContain('sidecar_request_duration_seconds_bucket{direction="ingress",le="+Inf"} 2');
  expect(text).toContain('sidecar_request_duration_seconds_count{direction="egress"} 1');
  const [, took] = /sidecar_request_duration_seconds_sum\{direction="egress"\} (\S+)/.exec(text) ?? [];
  expect(Number(took)).toBeGreaterThan(0);
  // In seconds, and from when it was asked: not longer than all of this.
  expect(Number(took)).toBeLessThanOrEqual((performance.now() - askedAt) / 1000);
  expect(text).toContain('sidecar_snapshot_age_seconds{service="orders.example.com"} 0');
  expect(text).toContain('sidecar_backend_healthy{direction="ingress"} 1');
  expect(text).toMatch(/sidecar_connections\{direction="egress"\} \d/);

  const slow = get(ingress, '/slow');
  while (release === undefined) await sleep(5);
  const closing = sidecar.close();
  while (network.deregistered.length === 0) await sleep(5);
  // Callers who have not noticed yet are still served, and open their next connection elsewhere.
  const late = await fetch(`http://127.0.0.1:${ingress}/late`);
  expect([late.headers.get('connection'), await late.text()]).toEqual(['close', 'backend /late']);
  await sleep(150);
  await expect(get(ingress, '/too-late')).rejects.toThrow();
  release();
  expect(await slow).toBe('slow');
  await closing;
});

test('what does not end while it drains is cut', async () => {
  const hanging = await upstream(ends, () => {});
  const network = new EngineNetwork();
  network.services.set('orders.example.com', [hanging.url]);
  const config = { ...configOf(FREE_PORTS), drain: 200 };
  const sidecar = await started(config, network);
  const call = fetch(`http://127.0.0.1:${sidecar.ports.egress}/orders`).catch((error: unknown) => error);
  await sleep(50);
  const began = performance.now();
  await sidecar.close();
  expect(performance.now() - began).toBeLessThan(1500);
  expect(String(await call)).toMatch(/fetch failed/);
});

test('it says what it would do, and what would keep it from that', async () => {
  const config = configOf(`
signalbox: {urls: ["http://a", "http://b"], tokenFile: /run/token}
environment: prod
egress: {routes: [{prefix: /orders, service: orders.example.com, version: v2}]}
ingress: {service: web.example.com, healthPath: /ready, check: http}`);
  const report = await check(config, {
    whyNotListen: (_host, port) => Promise.resolve(port === 4481 ? 'EADDRINUSE' : undefined),
    whyNotRead: (file) => (file === '/run/token' ? 'ENOENT' : undefined),
    whyNotReady: (url) => Promise.resolve(url === 'http://b' ? 'ECONNREFUSED' : undefined),
  });
  expect(report).toEqual({
    lines: [
      'Egress listens at http://127.0.0.1:4480.',
      '  /orders -> orders.example.com, environment prod, version v2, without the prefix',
      '  header service_id -> the service that it names',
      'Ingress listens at http://0.0.0.0:4481, for http://127.0.0.1:8080.',
      '  registered as web.example.com, prod at the address of this machine:4481, check http, while /ready answers 2xx',
      '  admin endpoints for nobody: admin.issuers is empty',
      'Metrics at http://127.0.0.1:4482/metrics.',
      'Signalbox answers at http://a.',
      'Signalbox does not answer at http://b (ECONNREFUSED): it is tried again and again.',
    ],
    faults: [
      'signalbox.tokenFile: /run/token cannot be read (ENOENT).',
      'ingress.port: nobody can listen at 0.0.0.0:4481 (EADDRINUSE). Is the sidecar running already? If not, set another one; 0 takes one that is free.',
    ],
  });
});

test('SEC2 the guard is told the address that the ingress is bound to, not its name; allowed addresses have the time of egress', async () => {
  const hanging = await upstream(ends, (request, response) => {
    if (request.url !== '/hang') response.end('good');
  });
  const network = new EngineNetwork();
  const config =
    configOf(`${FREE_PORTS.replace('egress: {', `egress: {timeout: 100ms, allowedHosts: ["${hanging.url}"], `)}
ingress: {service: web.example.com, host: localhost, port: 0, backend: "${hanging.url}", timeout: 10s}`);
  const listeners: unknown[] = [];
  const answer = { status: 401, body: {} };
  const sidecar = await startSidecar(config, {
    network,
    guard: {
      check: ({ listener }) => {
        listeners.push(listener);
        return Promise.resolve({ type: 'refused', subject: 'x', why: 'test', answer });
      },
    },
    own: { serverInfo: () => answer, listLoggers: () => answer, setLoggers: () => answer },
    log: LOG,
    id: 'one',
  });
  ends.add(() => sidecar.close());
  await fetch(`http://localhost:${sidecar.ports.ingress}/adm`);
  expect(listeners).toEqual([expect.stringMatching(/^(?:127\.0\.0\.1|::1)$/)]);
  const headers = { service_url: hanging.url };
  expect((await fetch(`http://127.0.0.1:${sidecar.ports.egress}/hang`, { headers })).status).toBe(504);
});

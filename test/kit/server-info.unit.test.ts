import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import Fastify from 'fastify';
import { signalbox } from '../../src/kit/fastify.ts';
import { readModules } from '../../src/kit/info/modules.ts';
import { askHttps } from '../support/https.ts';
import { Authority } from '../support/openssl.ts';
import { SERVICE, startFastify, STARTS, type Running } from './apps.ts';

let directory: string;
let running: Running | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kit-'));
});
afterEach(async () => {
  await running?.close();
  running = undefined;
  rmSync(directory, { recursive: true, force: true });
});

interface Info {
  readonly deployment: object;
  readonly environment: { readonly variables?: object };
  readonly security: { readonly serverFingerPrint: string | null };
  readonly component: Readonly<Record<string, unknown>>;
  readonly plugins: readonly string[];
  readonly modules: { readonly dependencies: Readonly<Record<string, string>> };
}

test.each(STARTS)('over %s: the shape of light-4j, masked and sorted', async (_name, start) => {
  let pool = 5;
  running = await start({
    guard: 'development',
    version: 'v3',
    info: {
      directory: import.meta.dirname,
      components: {
        zebra: { password: 'hunter2', size: 1 },
        database: () => ({ url: 'postgres://orders:hunter2@db.test/orders', pool }),
        broken: () => {
          throw new Error('hunter2');
        },
      },
      maskNames: [/size/],
    },
  });
  const read = async (): Promise<Info> => (await (await running!.ask('/adm/server/info')).json()) as Info;
  const info = await read();
  expect(info).toMatchObject({
    deployment: { apiVersion: 'v3', frameworkVersion: expect.any(String) },
    environment: {
      host: { ip: expect.any(String), hostname: expect.any(String) },
      runtime: {
        availableProcessors: expect.any(Number),
        freeMemory: expect.any(Number),
        totalMemory: expect.any(Number),
        maxMemory: expect.any(Number),
        nodeVersion: process.versions.node,
      },
      system: { osName: expect.any(String), osVersion: expect.any(String), userTimezone: expect.any(String) },
    },
    security: { serverFingerPrint: null },
    plugin: {},
    modules: { name: 'signalbox', dependencies: { fastify: '5.12.8' } },
  });
  expect(info.environment.variables).toBeUndefined();
  expect(Object.keys(info.component)).toEqual(['broken', 'database', 'signalbox', 'zebra']);
  expect(info.component).toMatchObject({
    broken: '[unreadable]',
    database: { pool: 5, url: 'postgres://[masked]@db.test/orders' },
    zebra: { password: '[masked]', size: '[masked]' },
  });
  expect(JSON.stringify(info)).not.toContain('hunter2');
  pool = 6;
  expect((await read()).component['database']).toMatchObject({ pool: 6 });
});

test('environment variables only where they are asked for, and masked', async () => {
  process.env['KIT_TEST_PASSWORD'] = 'hunter2';
  process.env['KIT_TEST_PLAIN'] = 'plain';
  const ask = async (environment: boolean | string[]): Promise<Record<string, string>> => {
    await running?.close();
    running = await startFastify({ guard: 'development', info: { environment } });
    const info = (await (await running.ask('/adm/server/info')).json()) as Info;
    return info.environment.variables as Record<string, string>;
  };
  try {
    const all = await ask(true);
    expect([all['KIT_TEST_PASSWORD'], all['KIT_TEST_PLAIN']]).toEqual(['[masked]', '[masked]']);
    expect(new Set(Object.values(all))).toEqual(new Set(['[masked]']));
    expect(await ask(['KIT_TEST_PASSWORD', 'KIT_TEST_PLAIN', 'KIT_TEST_NONE'])).toEqual({
      KIT_TEST_PASSWORD: '[masked]',
      KIT_TEST_PLAIN: 'plain',
    });
  } finally {
    delete process.env['KIT_TEST_PASSWORD'];
    delete process.env['KIT_TEST_PLAIN'];
  }
});

test('it can be left out', async () => {
  running = await startFastify({ guard: 'development', info: false });
  expect((await running.ask('/adm/server/info')).status).toBe(404);
});

test('over TLS: the fingerprint of the certificate that is really shown', async () => {
  const { cert, key } = new Authority(directory, 'ca').issue({ names: 'DNS:localhost' });
  const app = Fastify({ https: { cert, key }, forceCloseConnections: true });
  await app.register(signalbox, { serviceId: SERVICE, guard: 'development' });
  await app.listen({ port: 0, host: 'localhost' });
  try {
    const { port } = app.server.address() as AddressInfo;
    const answer = await askHttps(port, '/adm/server/info', { rejectUnauthorized: false });
    expect(answer.status).toBe(200);
    const expected = new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase();
    expect((JSON.parse(answer.body) as Info).security.serverFingerPrint).toBe(expected);
  } finally {
    await app.close();
  }
});

test('the versions are those that are installed where the program is, not those that it asked for', () => {
  const put = (path: string, content: object): void => {
    mkdirSync(join(directory, path), { recursive: true });
    writeFileSync(join(directory, path, 'package.json'), JSON.stringify(content));
  };
  put('app', { name: 'app', version: '1.0.0', dependencies: { near: '^1', far: '^1', none: '^1' } });
  put('app/node_modules/near', { version: '1.2.3' });
  put('node_modules/near', { version: '9.9.9' });
  put('node_modules/far', { version: '1.4.0' });
  mkdirSync(join(directory, 'app/dist'));
  expect(readModules(join(directory, 'app/dist/main.js'))).toEqual({
    name: 'app',
    version: '1.0.0',
    dependencies: { far: '1.4.0', near: '1.2.3', none: 'missing' },
  });
});

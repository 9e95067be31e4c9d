import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance } from 'fastify';
import { signalbox } from '../../src/kit/fastify.ts';
import { connect } from '../../src/sdk/index.ts';
import { embeddedHome, type Home } from '../acceptance/homes.ts';
import { call, startSignalbox, type Signalbox } from '../support/signalbox.ts';
import { until } from './until.ts';

const SERVICE = 'orders.test';
const V1 = `/v1/services/${SERVICE}/versions/v1`;
const DEPLOYER = 'projects/shop/service-accounts/deployer';

let home: Home;
let node: Signalbox;
const apps: FastifyInstance[] = [];
let lines: string[] = [];

beforeAll(async () => {
  home = await embeddedHome();
  node = await startSignalbox({ env: home.env });
  const catalog = [
    { name: 'regions/us', title: 'US' },
    { name: 'projects/shop', title: 'Shop' },
    { name: DEPLOYER, clientId: 'deployer' },
    {
      name: `services/${SERVICE}`,
      displayName: 'Orders',
      creator: DEPLOYER,
      globalEndpoint: SERVICE,
      primaryRegion: 'us',
    },
  ];
  expect((await call(node.url, 'POST', '/v1/apply', catalog)).status).toBe(200);
}, 120_000);
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
  await node.stop();
  await home.drop();
});

async function startApp(): Promise<FastifyInstance> {
  const loggerInstance = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const app = Fastify({ loggerInstance, forceCloseConnections: true }) as unknown as FastifyInstance;
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'Orders', version: '1.4.2' } } });
  await app.register(signalbox, {
    serviceId: SERVICE,
    client: connect({ url: node.url }),
    lingerMs: 0,
    publish: { version: 'v1', document: () => app.swagger() },
  });
  app.get('/orders/:id', { schema: { summary: 'Read an order' } }, async () => ({}));
  await app.listen({ port: 0, host: '127.0.0.1' });
  apps.push(app);
  await app.signalbox.joined();
  return app;
}

const published = (): number => lines.filter((line) => /is published"|is in the catalog already"/.test(line)).length;
const document = () => call(node.url, 'GET', `${V1}/document`);
const revision = async (): Promise<number> => (await call(node.url, 'GET', V1)).body.revision as number;

test('REV3 PUSH a service publishes its OpenAPI document: told what to do until there is a version, then once, whoever else does', async () => {
  const watcher = connect({ url: node.url });
  const seen: unknown[] = [];
  const versions = watcher.watch({ kind: 'version' });
  versions.on('change', ({ changes }) => {
    for (const { value } of changes)
      seen.push((value as { document?: { title?: string } } | undefined)?.document?.title);
  });
  await versions.ready();
  const app = await startApp();
  await until(() => lines.some((line) => line.includes('signalbox apply -f -')));
  expect((await call(node.url, 'GET', '/v1/services/-/versions')).body.items).toEqual([]);

  // The command that the warning names.
  await call(node.url, 'POST', '/v1/apply', [{ name: V1.slice('/v1/'.length) }]);
  await until(() => published() === 1, 20_000);
  const read = await document();
  expect([read.status, read.body.info.title]).toEqual([200, 'Orders']);
  expect(read.body).toEqual(JSON.parse(JSON.stringify(app.swagger())));
  expect(Object.keys(read.body.paths)).toContain('/orders/{id}');
  await until(() => seen.includes('Orders'));
  const { document: known, revision: first } = (await call(node.url, 'GET', V1)).body;
  expect(read.headers.get('etag')).toBe(`"${known.sha256}"`);
  expect(known).toMatchObject({ openapi: '3.1.0', title: 'Orders', apiVersion: '1.4.2', format: 'json' });

  // Other instances, and one that starts again.
  await Promise.all([startApp(), startApp(), startApp()]);
  await until(() => published() === 4);
  expect(await revision()).toBe(first);

  const { body } = await call(node.url, 'GET', `/v1/audit?target=${V1.slice('/v1/'.length)}&category=change`);
  expect(body.items).toMatchObject([
    { action: 'catalog.write', result: 'updated', service: SERVICE },
    { action: 'catalog.write', result: 'created' },
  ]);
  expect(JSON.stringify(body)).not.toContain('1.4.2');
  await watcher.close();
}, 60_000);

test('REV3 instances that publish at once make one revision, and a restart of the node keeps the document', async () => {
  expect((await call(node.url, 'DELETE', `${V1}/document`)).status).toBe(200);
  lines = [];
  await Promise.all([startApp(), startApp(), startApp(), startApp()]);
  await until(() => published() === 4);
  const { body } = await call(node.url, 'GET', `/v1/audit?target=${V1.slice('/v1/'.length)}&category=change`);
  expect(body.items.map(({ result }: { result: string }) => result)).toEqual([
    'updated', // once, by one of the four
    'updated', // withdrawn
    'updated',
    'created',
  ]);
  const etag = (await document()).headers.get('etag');
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await node.stop();
  node = await startSignalbox({ env: home.env });
  const again = await document();
  expect([again.status, again.headers.get('etag')]).toEqual([200, etag]);
}, 60_000);

/** Small programs of users, one for each entry of the package. Each says `hello` in the end, and lets the compiler object to one line. */
export const PROGRAMS = {
  client: `
import { createServer } from 'node:http';
import { connect, portOf, type Client, type Instance } from 'signalbox/client';

export const wrong = (): Client =>
  // @ts-expect-error the types are there, and are not any
  connect({ url: 7 });
export const wrongSelect = (client: Client): unknown =>
  // @ts-expect-error the same for what is watched
  client.watch({ kind: 'teapot' });

const server = createServer((_request, response) => response.end('hello'));
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
const client = connect();
await client.register({ service: 'plain.example.com', address: '127.0.0.1', port: portOf(server) });
const service = client.service('plain.example.com');
await service.ready();
const [instance]: readonly Instance[] = service.instances();
const response = await service.fetch('/');
console.log(await response.text(), instance?.service, response.status);
await client.close();
server.close();
`,
  kit: `
import { createServer } from 'node:http';
import { connect } from 'signalbox/client';
import { boundTo, createKit, Membership, nodeHandler, type KitDeps } from 'signalbox/kit';

export const wrong = (deps: KitDeps): unknown =>
  // @ts-expect-error the types are there, and are not any
  createKit({ serviceId: 7 }, deps);

const quiet = (): void => {};
const log = { level: 'silent', trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, fatal: quiet, child: () => log };
const kit = createKit({ serviceId: 'kit.example.com' }, { log, framework: 'node:http', close: quiet });
const handle = nodeHandler(kit);
const server = createServer((request, response) => {
  void handle(request, response, () => response.end('hello'));
});
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
const client = connect();
const membership = new Membership({ serviceId: 'kit.example.com', registrar: client, options: { lingerMs: 0 }, log, env: process.env });
await membership.join(boundTo(server));
const service = client.service('kit.example.com');
await service.ready();
const health = await service.fetch('/health/kit.example.com');
console.log(await (await service.fetch('/')).text(), membership.instance?.state, health.status);
await membership.leave();
await client.close();
kit.close();
server.close();
`,
  fastify: `
import Fastify from 'fastify';
import { connect } from 'signalbox/client';
import { signalbox } from 'signalbox/fastify';

const app = Fastify();
await app.register(signalbox, { serviceId: 'fastify.example.com', connect: {}, lingerMs: 0 });
app.get('/', async () => 'hello');
await app.listen({ port: 0, host: '127.0.0.1' });
await app.signalbox.joined();
// @ts-expect-error the types are there, and are not any
export const wrong: number = app.signalbox.instance;

const client = connect();
const service = client.service('fastify.example.com');
await service.ready();
const health = await service.fetch('/health/fastify.example.com');
console.log(await (await service.fetch('/')).text(), app.signalbox.instance?.state, health.status);
await client.close();
await app.close();
`,
} as const;

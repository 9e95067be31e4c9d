import { afterEach, expect, test } from '@jest/globals';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { signalbox, type FastifyKitOptions } from '../../src/kit/fastify.ts';
import { asker, SERVICE, type Running } from './apps.ts';
import { MemoryRegistrar } from './registrar.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const busy = async (app: FastifyInstance): Promise<void> => {
  app.post('/busy', (_request, reply) => reply.code(503).send('busy'));
};

/** Where the plugin is among others, and what the app answers from then on. */
const PLACES: readonly [
  name: string,
  register: (app: FastifyInstance, options: FastifyKitOptions) => PromiseLike<unknown>,
][] = [
  [
    'before others',
    async (app, options) => {
      await app.register(signalbox, options);
      await app.register(busy);
    },
  ],
  [
    'after others',
    async (app, options) => {
      await app.register(busy);
      await app.register(signalbox, options);
    },
  ],
  [
    'in a plugin of its own',
    (app, options) =>
      app
        .register(async (own) => {
          await own.register(signalbox, options);
        })
        .register(busy),
  ],
];

async function start(
  register: (typeof PLACES)[number][1],
  options: Partial<FastifyKitOptions>,
  more: (app: FastifyInstance) => void = () => {},
  server: FastifyServerOptions = {},
): Promise<{ app: FastifyInstance; ask: Running['ask'] }> {
  const app = Fastify({ forceCloseConnections: true, ...server }) as unknown as FastifyInstance;
  await register(app, { serviceId: SERVICE, lingerMs: 0, ...options });
  more(app);
  ends.push(() => app.close());
  return { app, ask: asker(await app.listen({ port: 0, host: '127.0.0.1' })) };
}

const call = async (ask: Running['ask'], when: string): Promise<string> => {
  const { status, headers } = await ask('/busy', { method: 'POST' });
  return `${when}: ${status} ${headers.get('signalbox-unsent')}`;
};

test.each(PLACES)(
  'with the plugin %s, what an app answers while it leaves was received: only what Fastify turns away was not',
  async (_name, register) => {
    const client = new MemoryRegistrar();
    const said: string[] = [];
    const { app, ask } = await start(register, { client }, (own) => {
      // Fastify is closing by then, and listens still.
      own.addHook('preClose', async () => void said.push(await call(ask, 'closing')));
    });
    client.onDeregister = async () => void said.push(await call(ask, 'leaving'));
    said.push(await call(ask, 'before'));
    await app.close();
    expect(said).toEqual(['before: 503 null', 'leaving: 503 null', 'closing: 503 true']);
  },
);

test.each(PLACES)(
  'with the plugin %s, an app that turns nothing away while it closes says so of nothing',
  async (_name, register) => {
    const said: string[] = [];
    const { app, ask } = await start(
      register,
      { client: new MemoryRegistrar() },
      (own) => {
        own.addHook('preClose', async () => void said.push(await call(ask, 'closing')));
      },
      { return503OnClosing: false },
    );
    await app.close();
    expect(said).toEqual(['closing: 503 null']);
  },
);

test.each(PLACES.slice(0, 2))('registered %s, chaos strikes all that the app answers', async (_name, register) => {
  const { ask } = await start(register, { guard: 'development' });
  const on = { enabled: true, bypass: false, level: 1 };
  expect((await ask('/adm/chaosmonkey/exception', { json: on })).status).toBe(200);
  expect((await ask('/busy', { method: 'POST' })).status).toBe(500);
});

test('in a plugin of its own, chaos strikes what that answers and leaves the rest of the app alone', async () => {
  const { ask } = await start(
    (app, options) =>
      app
        .register(async (own) => {
          await own.register(signalbox, options);
          own.get('/own', () => 'own');
        })
        .register(busy),
    { guard: 'development' },
  );
  const on = { enabled: true, bypass: false, level: 1 };
  expect((await ask('/adm/chaosmonkey/exception', { json: on })).status).toBe(200);
  expect((await ask('/own')).status).toBe(500);
  expect((await ask('/busy', { method: 'POST' })).status).toBe(503);
});

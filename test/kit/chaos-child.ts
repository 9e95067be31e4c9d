/** A service with chaos allowed, in a process of its own; it says where it listens. */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { signalbox } from '../../src/kit/fastify.ts';

const app = Fastify({ logger: true });
await app.register(signalbox, {
  serviceId: 'orders.test',
  guard: 'development',
  chaos: true,
  chaosMemoryBytes: 512 * 1024 * 1024,
  shutdown: true,
  signals: true,
  lingerMs: 0,
});
app.get('/orders', async () => ({ orders: [] }));
app.addHook('onClose', async () => app.log.info('closed gracefully'));
await app.listen({ port: 0, host: '127.0.0.1' });
process.send?.((app.server.address() as AddressInfo).port);
process.disconnect?.();

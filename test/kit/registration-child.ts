/** A service whose Signalbox is away. */
import Fastify from 'fastify';
import { signalbox } from '../../src/kit/fastify.ts';
import { MemoryRegistrar } from './registrar.ts';

const client = new MemoryRegistrar();
client.away = true;
const app = Fastify({ logger: true });
await app.register(signalbox, { serviceId: 'orders.test', client });
await app.listen({ port: 0, host: '127.0.0.1' });
process.disconnect?.();

/**
 * The floor of the figures of requests: a bare Fastify that answers prepared buffers, or nothing.
 *
 *   fastify.ts BYTES...      GET /BYTES answers so many, POST /ID/renew answers 204
 */
import Fastify from 'fastify';

const app = Fastify({ logger: false });
for (const size of process.argv.slice(2)) {
  const buffer = Buffer.alloc(Number(size), 'x');
  app.get(`/${size}`, (_request, reply) => reply.type('application/json; charset=utf-8').send(buffer));
}

app.post('/:id/renew', (_request, reply) => reply.code(204).send());

process.on('SIGTERM', () => process.exit(0));
const address = await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
console.log(`listening ${new URL(address).port}`);

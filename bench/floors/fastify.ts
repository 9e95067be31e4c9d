/**
 * The floor of the read figures: a bare Fastify that answers prepared buffers.
 *
 *   fastify.ts BYTES...      GET /BYTES answers so many
 */
import Fastify from 'fastify';

const app = Fastify({ logger: false });
for (const size of process.argv.slice(2)) {
  const buffer = Buffer.alloc(Number(size), 'x');
  app.get(`/${size}`, (_request, reply) => reply.type('application/json; charset=utf-8').send(buffer));
}

process.on('SIGTERM', () => process.exit(0));
const address = await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
console.log(`listening ${new URL(address).port}`);

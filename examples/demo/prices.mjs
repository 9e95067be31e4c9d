/** What things cost: a service that joins with three lines, and calls nobody. */
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import signalbox from 'signalbox/fastify';

const app = Fastify();
await app.register(signalbox, {
  serviceId: 'prices.demo.example',
  connect: {}, // to SIGNALBOX_URL
  signals: true, // on SIGTERM it deregisters, drains, and ends
  registration: { check: { type: 'ttl', ttl: '3s' } }, // a short lease, since in a demo nobody waits for 15 s
});

app.get('/prices/:item', async ({ params }) => {
  // Some work, so that calls are under way when the process is told to end.
  await sleep(5 + Math.random() * 10);
  return { item: params.item, price: 100 + params.item.length };
});

await app.listen({ port: Number(process.env.PORT ?? 0), host: '127.0.0.1' });

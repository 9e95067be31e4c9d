/** Takes orders: finds `prices` and `stock` in its own copy of the instances, and calls them. */
import Fastify from 'fastify';
import { connect } from 'signalbox/client';
import signalbox from 'signalbox/fastify';
import { metered } from './meter.mjs';

const client = connect(); // to SIGNALBOX_URL
const prices = metered(client.service('prices.demo.example', { timeoutMs: 3000 }));
const stock = metered(client.service('stock.demo.example', { timeoutMs: 3000 }));

const app = Fastify();
await app.register(signalbox, {
  serviceId: 'orders.demo.example',
  client,
  signals: true,
  registration: { check: { type: 'ttl', ttl: '3s' } },
});

app.get('/orders/:item', async ({ params }) => {
  const [{ price }, { left }] = await Promise.all([prices(`/prices/${params.item}`), stock(`/stock/${params.item}`)]);
  return { item: params.item, price, left };
});

// Not idempotent: what may have been done once is not tried again elsewhere.
app.post('/orders/:item', async ({ params }, reply) => {
  const { price } = await prices(`/prices/${params.item}`);
  const { left } = await stock(`/stock/${params.item}`, { method: 'POST' });
  return reply.code(201).send({ item: params.item, price, left });
});

await app.listen({ port: Number(process.env.PORT ?? 0), host: '127.0.0.1' });

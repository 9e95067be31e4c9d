/** `node greeter.mjs`: calls names and clock, found by the client that also registers it. */
import Fastify from 'fastify';
import { connect } from 'signalbox/client';
import { signalbox } from 'signalbox/fastify';

const client = connect();
const names = client.service('names.hello.example');
const clock = client.service('clock.hello.example');

/** Whoever has died is listed for a moment yet: such a call goes to another one. */
async function ask(service) {
  const response = await service.fetch('/', { timeoutMs: 2000 });
  return response.text();
}

const app = Fastify();
await app.register(signalbox, { serviceId: 'greeter.hello.example', client, signals: true });
app.get('/', async () => {
  const [name, time] = await Promise.all([ask(names), ask(clock)]);
  return `Hello ${name}, it is ${time}`;
});
await Promise.all([names.ready(), clock.ready()]);
await app.listen({ port: 0, host: '127.0.0.1' });

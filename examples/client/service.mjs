/** `node service.mjs names` or `node service.mjs clock`: the kit registers it once it listens, answers its checks, and deregisters it. */
import Fastify from 'fastify';
import { signalbox } from 'signalbox/fastify';

const NAMES = ['Ada', 'Alan', 'Barbara', 'Edsger', 'Grace', 'Leslie', 'Radia'];
const WORK = {
  names: () => NAMES[Math.floor(Math.random() * NAMES.length)],
  clock: () => new Date().toTimeString().slice(0, 8),
};
const role = process.argv[2] ?? 'names';

const app = Fastify();
await app.register(signalbox, {
  serviceId: `${role}.hello.example`,
  connect: {}, // SIGNALBOX_URL, SIGNALBOX_TOKEN
  signals: true,
  registration: {
    // The id in the path says whom the check means: a stranger that got this address later does not answer for us (INS6).
    check: { type: 'http', path: '/health/{serviceId}', interval: '1s', timeout: '500ms', unhealthyAfter: 2 },
  },
});
app.get('/', () => `${WORK[role]()} (from ${app.signalbox.instance?.port})`);
await app.listen({ port: 0, host: '127.0.0.1' });

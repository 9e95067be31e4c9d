import { expect, test } from '@jest/globals';
import type { SignalboxError } from '../../../src/sdk/errors.ts';
import type { Answer, Desk, Registered } from '../../../src/sdk/registration/desk.ts';
import { createRegistrar } from '../../../src/sdk/registration/registrar.ts';
import { TurnedTime } from './turned-time.ts';

const REGISTERED: Registered = {
  id: 'i',
  name: 'instances/i',
  generation: 4,
  lease: '15s',
  detectionBound: '16s',
};
const TAKEN: Answer<Registered> = { type: 'done', value: REGISTERED };
const AWAY: Answer<never> = { type: 'away', detail: 'Nobody is there.' };
const REFUSED: Answer<never> = {
  type: 'refused',
  problem: { status: 400, detail: 'Wrong.', errors: [{ pointer: '/service', detail: 'is not in the catalog' }] },
};
const ORDERS = { service: 'orders.example.com', port: 8080 };

function registrarThat(answers: {
  register: () => Answer<Registered>;
  renew?: () => Answer<void>;
  ownAddress?: () => Promise<string>;
}) {
  const time = new TurnedTime();
  const asked: string[] = [];
  const bodies: object[] = [];
  const errors: SignalboxError[] = [];
  let held = 0;
  const desk: Desk = {
    register: (body) => {
      asked.push('register');
      bodies.push(body);
      return Promise.resolve(answers.register());
    },
    renew: () => {
      asked.push('renew');
      return Promise.resolve(answers.renew?.() ?? { type: 'done', value: undefined });
    },
    deregister: () => {
      asked.push('deregister');
      return Promise.resolve({ type: 'done', value: undefined });
    },
  };
  const registrar = createRegistrar({
    desk,
    attachment: { socket: undefined, heartbeatMs: undefined, onChange: () => () => {} },
    ownAddress: answers.ownAddress ?? (() => Promise.resolve('10.0.4.17')),
    environment: 'prod',
    hold: () => {
      held += 1;
      return () => void (held -= 1);
    },
    onError: (error) => void errors.push(error),
    time,
    random: () => 0.5,
  });
  return { time, asked, bodies, errors, registrar, held: () => held };
}

/** What became of a promise by now. */
const outcome = async (promise: Promise<unknown>): Promise<unknown> =>
  Promise.race([promise.catch((error: unknown) => error), Promise.resolve('pending').then((value) => value)]);

test('INS6 registers, says what it is, and deregisters', async () => {
  const { time, registrar, asked, bodies, held } = registrarThat({ register: () => TAKEN });
  const registering = registrar.register(ORDERS);
  await time.pass(0);
  const instance = await registering;
  expect(instance).toMatchObject({ state: 'registered', id: 'i', generation: 4, address: '10.0.4.17', port: 8080 });
  expect(bodies).toEqual([
    {
      ...ORDERS,
      protocol: 'http',
      address: '10.0.4.17',
      environment: 'prod',
      check: { type: 'ttl', ttl: '15s' },
    },
  ]);
  expect({ held: held(), all: registrar.instances }).toEqual({ held: 1, all: [instance] });
  const states: string[] = [];
  instance.on('state', (state) => void states.push(state));
  await instance.deregister();
  await instance.deregister();
  expect({ states, held: held(), all: registrar.instances, asked }).toEqual({
    states: ['gone'],
    held: 0,
    all: [],
    asked: ['register', 'deregister'],
  });
});

test('a start without Signalbox fails in time, and says what to do', async () => {
  const { time, registrar, asked, held } = registrarThat({ register: () => AWAY });
  const registering = registrar.register(ORDERS, { timeoutMs: 3000 });
  registering.catch(() => {});
  await time.pass(2999);
  expect(await outcome(registering)).toBe('pending');
  await time.pass(1);
  await expect(registering).rejects.toMatchObject({
    code: 'unreachable',
    message:
      'orders.example.com could not be registered within 3000 ms: Nobody is there. Check that Signalbox runs, and the address that it has (`url`, SIGNALBOX_URL). Or start without it: `startOnRegistryFailure: true` goes on trying.',
  });
  const before = asked.length;
  await time.pass(60_000);
  expect({ asked: asked.length, held: held() }).toEqual({ asked: before, held: 0 });
});

test('a start that is refused fails at once, with the reason', async () => {
  const { time, registrar, asked } = registrarThat({ register: () => REFUSED });
  const registering = registrar.register(ORDERS);
  registering.catch(() => {});
  await time.pass(0);
  await expect(registering).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining('Wrong. (/service is not in the catalog)'),
    problem: { status: 400 },
  });
  await time.pass(60_000);
  expect(asked).toEqual(['register']);
});

test('SEC1 a token that is not taken is its own error', async () => {
  const { time, registrar } = registrarThat({
    register: () => ({ type: 'refused', problem: { status: 401, detail: 'No.' } }),
  });
  const registering = registrar.register(ORDERS);
  registering.catch(() => {});
  await time.pass(0);
  await expect(registering).rejects.toMatchObject({ code: 'unauthorized' });
});

test('with startOnRegistryFailure it starts at once, and is registered when Signalbox is there', async () => {
  let answer: Answer<Registered> = AWAY;
  const { time, registrar, errors } = registrarThat({ register: () => answer });
  const instance = await registrar.register(ORDERS, { startOnRegistryFailure: true });
  expect(instance).toMatchObject({ state: 'trying', id: undefined, generation: undefined });
  await time.pass(60_000);
  expect(errors.map(({ code, message }) => [code, message])).toEqual([['unreachable', 'Nobody is there.']]);
  answer = REFUSED;
  await time.pass(10_000);
  answer = TAKEN;
  await time.pass(30_000);
  expect(instance.state).toBe('registered');
  expect(errors.map(({ code }) => code)).toEqual(['unreachable', 'refused']);
});

test('what makes no sense is said before anything is tried', async () => {
  const { registrar, asked } = registrarThat({ register: () => TAKEN });
  await expect(registrar.register({ ...ORDERS, address: '0.0.0.0' })).rejects.toMatchObject({
    code: 'invalid-options',
  });
  await expect(registrar.register({ ...ORDERS, port: 0 }, { startOnRegistryFailure: true })).rejects.toMatchObject({
    code: 'invalid-options',
  });
  expect(asked).toEqual([]);
});

test('a signal ends the waiting, and what it was for', async () => {
  const { time, registrar, asked } = registrarThat({ register: () => AWAY });
  const given = new AbortController();
  const registering = registrar.register(ORDERS, { signal: given.signal });
  registering.catch(() => {});
  await time.pass(100);
  given.abort(new Error('enough'));
  await expect(registering).rejects.toThrow('enough');
  const before = asked.length;
  await time.pass(60_000);
  expect(asked).toHaveLength(before);
  await expect(registrar.register(ORDERS, { signal: given.signal })).rejects.toThrow('enough');
});

test('an address that cannot be found out yet is looked for before each attempt, and no other is made up', async () => {
  let found: string | undefined;
  const ownAddress = () =>
    found === undefined ? Promise.reject(new Error('No route was found.')) : Promise.resolve(found);
  const { time, registrar, asked, bodies, errors } = registrarThat({ register: () => TAKEN, ownAddress });
  const given = registrar.register(ORDERS, { timeoutMs: 3000 });
  given.catch(() => {});
  const instance = await registrar.register(ORDERS, { startOnRegistryFailure: true });
  await time.pass(3000);
  await expect(given).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('No route was found.'),
  });
  expect([instance.state, instance.address, asked]).toEqual(['trying', undefined, []]);
  expect(errors[0]?.message).toBe('No route was found.');
  found = '10.0.4.17';
  await time.pass(5000);
  expect([instance.state, instance.address, bodies.length]).toEqual(['registered', '10.0.4.17', 1]);
  expect(bodies[0]).toMatchObject({ address: '10.0.4.17' });
});

test('a signal, the time and the end of the client hold also while the address is looked for', async () => {
  const { time, registrar, asked } = registrarThat({ register: () => TAKEN, ownAddress: () => new Promise(() => {}) });
  const given = new AbortController();
  const aborted = registrar.register(ORDERS, { signal: given.signal });
  const late = registrar.register(ORDERS, { timeoutMs: 1500 });
  const closed = registrar.register(ORDERS);
  for (const each of [aborted, late, closed]) each.catch(() => {});
  await time.pass(100);
  given.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  await time.pass(1400);
  await expect(late).rejects.toMatchObject({ code: 'timeout' });
  const closing = registrar.close();
  await time.pass(2000);
  await closing;
  await expect(closed).rejects.toMatchObject({ code: 'stopped' });
  await time.pass(60_000);
  expect(asked).toEqual([]);
});

test('who closes while it is being registered is told so, and waits for nothing more', async () => {
  const { time, registrar } = registrarThat({ register: () => AWAY });
  const registering = registrar.register(ORDERS, { timeoutMs: 60_000 });
  registering.catch(() => {});
  await time.pass(100);
  expect(await outcome(registering)).toBe('pending');
  await registrar.close();
  await expect(registering).rejects.toMatchObject({ code: 'stopped' });
});

test('what is lost is told with its reason, and told again when it is back', async () => {
  let renewed: Answer<void> = { type: 'done', value: undefined };
  const { time, registrar } = registrarThat({
    register: () => {
      if (renewed.type === 'gone') renewed = { type: 'done', value: undefined };
      return TAKEN;
    },
    renew: () => renewed,
  });
  const registering = registrar.register(ORDERS);
  await time.pass(0);
  const instance = await registering;
  const told: unknown[] = [];
  instance.on('state', (state, why) => void told.push([state, why?.code]));
  instance.on('state', () => {
    throw new Error('a listener of no use');
  });
  renewed = AWAY;
  await time.pass(14_000);
  expect(told).toEqual([]);
  await time.pass(10_000);
  expect(told).toEqual([['trying', 'unreachable']]);
  renewed = { type: 'gone' };
  await time.pass(10_000);
  expect(told).toEqual([
    ['trying', 'unreachable'],
    ['registered', undefined],
  ]);
  renewed = { type: 'gone' };
  await time.pass(10_000);
  expect(told.slice(2)).toEqual([
    ['trying', undefined],
    ['registered', undefined],
  ]);
});

test('closing deregisters all of many, and takes no more', async () => {
  const { time, registrar, asked } = registrarThat({ register: () => TAKEN });
  const registering = Promise.all(
    Array.from({ length: 1500 }, (_, i) => registrar.register({ ...ORDERS, port: i + 1 })),
  );
  await time.pass(0);
  await registering;
  await registrar.close();
  expect(asked.filter((what) => what === 'deregister')).toHaveLength(1500);
  await expect(registrar.register(ORDERS)).rejects.toMatchObject({ code: 'stopped' });
});

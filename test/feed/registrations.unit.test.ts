import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_REGISTRATIONS, MAX_UNANSWERED } from '../../src/feed/registrations.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { RegistryUnavailable } from '../../src/registry/errors.ts';
import { instanceIdOf } from '../../src/registry/instances.ts';
import { RawWatch } from '../acceptance/raw-socket.ts';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { INSTANCE, LiveNode, type NodeOptions } from './live-node.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function open(options: NodeOptions = {}): Promise<{ node: LiveNode; client: WatchClient }> {
  const node = await LiveNode.open(options);
  leftovers.push(() => node.close());
  return { node, client: await connect(node) };
}

async function connect(node: LiveNode): Promise<WatchClient> {
  const client = await WatchClient.open(node.url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

async function register(client: WatchClient, id: string, more: object = {}) {
  client.send({ type: 'register', id, instance: { ...INSTANCE, ...more } });
  return client.next('registered', (frame) => frame.id === id);
}

test('INS1 an instance registers over its watch socket, and is answered with what the POST answers', async () => {
  const { node, client } = await open();
  const answer = await register(client, '1', { check: { type: 'ttl', ttl: '10s' } });
  const item = node.tail.view.get(answer.instance.name);
  expect(item?.kind === 'instance' ? item.value : undefined).toMatchObject({
    ...INSTANCE,
    generation: 1,
    passing: true,
  });
  expect(answer).toEqual({
    type: 'registered',
    id: '1',
    instance: {
      id: answer.instance.id,
      name: `instances/${answer.instance.id}`,
      generation: 1,
      lease: '10s',
      detectionBound: item?.kind === 'instance' ? item.value.detectionBound : '',
    },
    revision: 1,
  });
  const probed = await register(client, '2', { port: 9, check: { type: 'tcp' } });
  expect(probed.instance.lease).toBeUndefined();
  expect([...node.leases.attached.keys()]).toEqual([answer.instance.id, probed.instance.id]);
});

test('REV3 the same registration again is no revision, and the same instance', async () => {
  const { node, client } = await open();
  const first = await register(client, '1');
  const again = await register(client, '2');
  expect(again).toEqual({ ...first, id: '2' });
  expect(node.head).toBe(1);
  expect(node.leases.attached.size).toBe(1);
});

test('INS1 what is heard on the socket is what keeps the lease: frames and pongs, and its end', async () => {
  const { node, client } = await open();
  const { instance } = await register(client, '1');
  const life = node.leases.attached.get(instance.id);
  const before = life?.heardAt ?? Infinity;
  await sleep(30);
  client.send({ type: 'ping' });
  await client.next('pong');
  const heard = life?.heardAt ?? 0;
  expect(heard).toBeGreaterThan(before);
  await until('a pong was heard', () => (life?.heardAt ?? 0) > heard);
  await sleep(20);
  const ended = performance.now();
  client.ws.terminate();
  await until('it was detached', () => node.leases.detached.length > 0);
  const [detached] = node.leases.detached;
  expect(detached?.id).toBe(instance.id);
  // It was there until it was seen to go.
  expect(detached?.heardAt).toBeGreaterThanOrEqual(ended - 1);
  // Nothing is removed: its countdown has begun.
  expect(node.tail.view.get(instance.name)).toBeDefined();
});

test('INS1 a socket that is closed for its silence is no sign of life', async () => {
  const { node } = await open();
  const raw = await RawWatch.open(node.port);
  leftovers.push(() => raw.destroy());
  raw.send({ type: 'register', id: '1', instance: INSTANCE });
  await until('the answer', () => raw.frames.some(({ type }) => type === 'registered'));
  const answered = performance.now();
  await until('it was closed', () => raw.close);
  expect(raw.close?.code).toBe(CLOSE.silent);
  expect(node.leases.detached).toHaveLength(1);
  const { heardAt, at } = node.leases.detached[0] ?? { heardAt: Infinity, at: 0 };
  expect(heardAt).toBeLessThanOrEqual(answered);
  expect(at - heardAt).toBeGreaterThan(200);
});

test('INS6 another generation is neither renewed nor removed by the socket of the one before', async () => {
  const { node, client } = await open();
  const { instance } = await register(client, '1');
  const other = await connect(node);
  other.send({ type: 'deregister', id: 'd', instance: instance.id });
  expect(await other.next('deregistered')).toEqual({
    type: 'deregistered',
    id: 'd',
    instance: instance.id,
    revision: 2,
  });
  const { instance: next } = await register(other, '2');
  expect(next).toMatchObject({ id: instance.id, generation: 3 });
  client.send({ type: 'renew', id: 'r' });
  expect(await client.next('renewed')).toEqual({ type: 'renewed', id: 'r', renewed: 0, unknown: [instance.id] });
  client.send({ type: 'deregister', id: 'd', instance: instance.id });
  await client.next('deregistered');
  expect(node.tail.view.get(instance.name)).toMatchObject({ revision: 3 });
});

test('a renew is of all that the socket has registered, or of those that it names', async () => {
  const { node, client } = await open();
  const ids = [];
  for (const port of [1, 2, 3]) ids.push((await register(client, `${port}`, { port })).instance.id);
  const elsewhere = await node.register({ port: 99 });
  node.leases.renewed.length = 0;
  client.send({ type: 'renew' });
  expect(await client.next('renewed')).toEqual({ type: 'renewed', renewed: 3, unknown: [] });
  expect(node.leases.renewed).toEqual(ids);
  const nobody = '0'.repeat(24);
  client.send({ type: 'renew', id: 'x', instances: [elsewhere, nobody] });
  const answer = await client.next('renewed', ({ id }) => id === 'x');
  expect(answer).toEqual({ type: 'renewed', id: 'x', renewed: 1, unknown: [nobody] });
});

test('REV3 renewing makes no revision, and deregistering what is gone is none either', async () => {
  const { node, client } = await open();
  const { instance } = await register(client, '1');
  for (let i = 0; i < 10; i++) client.send({ type: 'renew' });
  client.send({ type: 'deregister', id: 'a', instance: instance.id });
  client.send({ type: 'deregister', id: 'b', instance: instance.id });
  expect(await client.next('deregistered', ({ id }) => id === 'b')).toMatchObject({ revision: 2 });
  expect(node.head).toBe(2);
  expect(node.leases.attached.size).toBe(0);
  client.send({ type: 'renew', id: 'after' });
  expect(await client.next('renewed', ({ id }) => id === 'after')).toMatchObject({ renewed: 0, unknown: [] });
});

test('what is wrong with an instance is said field by field, and nothing has changed', async () => {
  const { node, client } = await open();
  const refusal = async (instance: object) => {
    const id = `e${client.frames.length}`;
    client.send({ type: 'register', id, instance });
    return client.next('error', (frame) => frame.id === id);
  };
  expect(await refusal({ ...INSTANCE, port: 0 })).toMatchObject({
    code: 'refused',
    errors: [{ pointer: '/port', detail: expect.any(String) }],
  });
  expect(await refusal({})).toMatchObject({
    code: 'refused',
    errors: [{ detail: expect.stringContaining('required') }],
  });
  expect(await refusal({ ...INSTANCE, address: '169.254.169.254', check: { type: 'tcp' } })).toMatchObject({
    code: 'refused',
    message: expect.stringContaining('SEC4'),
  });
  expect([node.head, node.leases.attached.size]).toEqual([0, 0]);
});

test('what cannot be decided now is unavailable, with a time to come back after', async () => {
  const { node, client } = await open();
  node.failure = new RegistryUnavailable('store-unavailable', 3);
  client.send({ type: 'register', id: '1', instance: INSTANCE });
  expect(await client.next('error')).toMatchObject({ id: '1', code: 'unavailable', retryAfter: 3 });
  node.failure = new TypeError('10.1.2.3 is away') as unknown as RegistryUnavailable;
  client.send({ type: 'deregister', id: '2', instance: '0'.repeat(24) });
  const mistake = await client.next('error', ({ id }) => id === '2');
  expect(mistake).toMatchObject({ code: 'unavailable' });
  expect(mistake.message).not.toContain('10.1.2.3');
  node.failure = undefined;
  await register(client, '3');
});

test('answers come in the order of the requests, and what ends before its answer keeps no lease', async () => {
  const { node, client } = await open();
  let release = (): void => {};
  node.gate = new Promise((done) => (release = done));
  client.send({ type: 'register', id: '1', instance: INSTANCE });
  const id = instanceIdOf(INSTANCE);
  client.send({ type: 'deregister', id: '2', instance: id });
  client.send({ type: 'register', id: '3', instance: INSTANCE });
  client.send({ type: 'ping' });
  await client.next('pong');
  release();
  await client.next('registered', (frame) => frame.id === '3');
  expect(client.frames.map((frame) => ('id' in frame ? frame.id : frame.type)).slice(1)).toEqual([
    'pong',
    '1',
    '2',
    '3',
  ]);
  expect([...node.leases.attached.keys()]).toEqual([id]);

  node.gate = new Promise((done) => (release = done));
  const other = await connect(node);
  other.send({ type: 'register', id: '1', instance: { ...INSTANCE, port: 5 } });
  await until('it is asked', () => node.hub.connections === 2);
  other.send({ type: 'ping' });
  await other.next('pong');
  other.ws.terminate();
  await until('it is gone', () => node.hub.connections === 1);
  release();
  await until('it was registered', () => node.head === 4);
  expect(node.leases.attached.size).toBe(1);
});

test('requests that wait for answers are bounded, and so are the instances of a socket', async () => {
  const { node, client } = await open();
  let release = (): void => {};
  node.gate = new Promise((done) => (release = done));
  for (let port = 1; port <= MAX_UNANSWERED + 1; port++) {
    client.send({ type: 'register', id: `${port}`, instance: { ...INSTANCE, port } });
  }
  const refused = await client.next('error');
  expect(refused).toMatchObject({ id: `${MAX_UNANSWERED + 1}`, code: 'too-many-requests' });
  release();
  await client.next('registered', ({ id }) => id === `${MAX_UNANSWERED}`);
  node.gate = undefined;
  for (let port = MAX_UNANSWERED + 1; port <= MAX_REGISTRATIONS; port++) {
    client.send({ type: 'register', id: `${port}`, instance: { ...INSTANCE, port } });
    if (port % MAX_UNANSWERED === 0) await client.next('registered', ({ id }) => id === `${port}`);
  }
  await client.next('registered', ({ id }) => id === `${MAX_REGISTRATIONS}`);
  client.send({ type: 'register', id: 'more', instance: { ...INSTANCE, port: 2000 } });
  expect(await client.next('error', ({ id }) => id === 'more')).toMatchObject({ code: 'too-many-registrations' });
  client.ws.terminate();
  await until('all are detached', () => node.leases.detached.length === MAX_REGISTRATIONS);
}, 30_000);

test('PUSH1 PUSH4 registrations and answers leave the order of a subscription alone', async () => {
  const { client } = await open();
  const topic = await client.sync('s', { kind: 'instance', passing: true });
  for (let port = 1; port <= 50; port++) {
    client.send({ type: 'register', id: `r${port}`, instance: { ...INSTANCE, port } });
  }
  await client.reached(topic, 50);
  const revisions = client.frames.flatMap((f) => (f.type === 'change' ? f.changes.map((c) => c.revision) : []));
  expect(revisions).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(client.frames.filter(({ type }) => type === 'registered')).toHaveLength(50);
});

test('a node that keeps no leases says so, rather than that the instance is gone', async () => {
  const node = await LiveNode.open();
  leftovers.push(() => node.close());
  node.leases.enabled = false;
  const client = await connect(node);
  client.send({ type: 'register', id: '1', instance: INSTANCE });
  client.send({ type: 'renew', id: 'r' });
  for (const id of ['1', 'r'])
    expect(await client.next('error', (frame) => frame.id === id)).toMatchObject({ code: 'unavailable' });
});

import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { RateLimits, type RateLimitSettings } from '../../src/auth/rate-limits.ts';
import { Tokens } from '../../src/auth/tokens.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from '../acceptance/until.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { EventStream } from './event-stream.ts';
import { INSTANCE, LiveNode, type NodeOptions } from './live-node.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

interface Answered {
  readonly type: string;
  readonly id?: string;
  readonly code?: string;
  readonly retryAfterMs?: number;
  readonly renewed?: number;
}

async function open(options: NodeOptions) {
  const issuer = await IssuerServer.open();
  leftovers.push(() => issuer.close());
  const log = { warn: () => {}, info: () => {} };
  const tokens = new Tokens([issuer.issuer({ readers: '*' })], { log, now: () => performance.now(), clock: Date.now });
  const node = await LiveNode.open({ access: { development: false, tokens }, ...options });
  leftovers.push(() => node.close());
  for (const project of ['one', 'two']) {
    await node.put(`projects/${project}`, { title: project });
    await node.put(`projects/${project}/service-accounts/a1`, { subject: `${project}-a` });
    await node.put(`projects/${project}/service-accounts/b1`, { subject: `${project}-b` });
  }
  await node.put('regions/us');
  return { node, tokenOf: (sub: string, more: object = {}) => issuer.mint({ sub, ...more }) };
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function connect(node: LiveNode, token: string) {
  const url = `${node.url.replace('http', 'ws')}/v1/watch`;
  const socket = new WebSocket(url, PROTOCOL, { headers: bearer(token) });
  leftovers.push(() => socket.terminate());
  const frames: Answered[] = [];
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Answered;
    // These come whenever their time is.
    if (frame.type !== 'bookmark') frames.push(frame);
  });
  await once(socket, 'open');
  return { socket, frames, send: (frame: object) => socket.send(JSON.stringify(frame)) };
}

function rates(settings: RateLimitSettings) {
  const world = { now: 0, lag: 0 };
  const limits = new RateLimits({ settings, now: () => world.now, lag: () => world.lag, refused: () => {} });
  return { world, limits };
}

test('frames that come too often are answered with an error that says when to come back, and the socket stays', async () => {
  const slow = { perSecond: 1, burst: 2 };
  const { world, limits } = rates({ rates: { renew: slow, write: slow, resume: { perSecond: 1, burst: 3 } } });
  const { node, tokenOf } = await open({ rates: limits });
  const token = await tokenOf('one-a', { scope: 'orders.example.com/admin' });
  // The upgrade is one of the class itself.
  const { socket, frames, send } = await connect(node, token);
  const errors = () => frames.filter(({ type }) => type === 'error');
  const answered = async (count: number) => until(`${count} answers`, () => frames.length >= count);

  for (const kind of ['region', 'service', 'version'] as const)
    send({
      type: 'subscribe',
      id: kind,
      select: { kind, services: kind === 'region' ? undefined : ['x.example.com'] },
    });
  await until('a refusal', () => errors().length === 1);
  expect(errors()).toEqual([expect.objectContaining({ code: 'rate-limited', id: 'version', retryAfterMs: 1000 })]);
  await until('two of them are there', () => frames.filter(({ type }) => type === 'synced').length === 2);

  frames.length = 0;
  for (const port of [1, 2, 3]) send({ type: 'register', id: `r${port}`, instance: { ...INSTANCE, port } });
  await answered(3);
  expect(frames.map(({ type, id }) => `${type} ${id}`).toSorted()).toEqual([
    'error r3',
    'registered r1',
    'registered r2',
  ]);

  frames.length = 0;
  for (const id of ['1', '2', '3']) send({ type: 'renew', id });
  await answered(3);
  expect(frames.map(({ type, renewed, code }) => [type, renewed ?? code])).toEqual([
    ['renewed', 2],
    ['renewed', 2],
    ['error', 'rate-limited'],
  ]);

  frames.length = 0;
  for (let i = 0; i < 1000; i++) send({ type: 'renew', id: `${i}` });
  send({ type: 'ping' });
  await until('all of them are answered', () => frames.at(-1)?.type === 'pong');
  expect(frames).toHaveLength(1001);
  expect(socket.readyState).toBe(WebSocket.OPEN);

  frames.length = 0;
  world.now += 1000;
  send({ type: 'renew', id: 'later' });
  await answered(1);
  expect(frames).toEqual([expect.objectContaining({ type: 'renewed', id: 'later', renewed: 2 })]);
});

test('a socket and requests of one caller share its limits', async () => {
  const { limits } = rates({ rates: { renew: { perSecond: 1, burst: 1 } } });
  const { node, tokenOf } = await open({ rates: limits });
  const token = await tokenOf('one-a', { scope: 'orders.example.com/admin' });
  const response = await fetch(`${node.url}/v1/instances/renew`, {
    method: 'POST',
    headers: { ...bearer(token), 'content-type': 'application/json' },
    body: '{"instances":[]}',
  });
  expect(response.status).toBe(200);
  const { frames, send } = await connect(node, token);
  send({ type: 'renew', id: '1' });
  await until('an answer', () => frames.length === 2);
  expect(frames[1]).toMatchObject({ type: 'error', code: 'rate-limited', id: '1' });
});

test('while the node is late, subscriptions wait longer than writes, and renewals longest', async () => {
  const { world, limits } = rates({ rates: {}, bearableLagMs: 10 });
  const { node, tokenOf } = await open({ rates: limits });
  const { frames, send } = await connect(node, await tokenOf('one-a', { scope: 'orders.example.com/admin' }));
  const met = async (lag: number) => {
    world.lag = lag;
    frames.length = 0;
    send({ type: 'register', id: 'r', instance: INSTANCE });
    send({ type: 'subscribe', id: `s${lag}`, select: { kind: 'region', regions: [`x${lag}`] } });
    send({ type: 'renew', id: 'n' });
    const answers = ['registered', 'subscribed', 'renewed', 'error'];
    await until('three answers', () => frames.filter(({ type }) => answers.includes(type)).length === 3);
    return frames.filter(({ type, code }) => type === 'error' && code === 'rate-limited').map(({ id }) => id);
  };
  expect(await met(0)).toEqual([]);
  expect(await met(11)).toEqual(['r']);
  expect(await met(81)).toEqual(['r', 's81']);
  expect(await met(161)).toEqual(['r', 's161', 'n']);
});

test('the service accounts of a project share its number of subscriptions, over sockets, streams and polls', async () => {
  const { node, tokenOf } = await open({ limits: { maxProjectSubscriptions: 3 } });
  const a = await tokenOf('one-a');
  const b = await tokenOf('one-b');
  const first = await connect(node, a);
  const second = await connect(node, b);
  const subscribe = async ({ frames, send }: typeof first, id: string, region: string) => {
    send({ type: 'subscribe', id, select: { kind: 'region', regions: [region] } });
    const isAnswer = (frame: Answered) => frame.id === id && ['subscribed', 'error'].includes(frame.type);
    await until(`an answer to ${id}`, () => frames.some(isAnswer));
    return frames.find(isAnswer);
  };
  expect(await subscribe(first, '1', 'us')).toMatchObject({ type: 'subscribed' });
  expect(await subscribe(first, '2', 'eu')).toMatchObject({ type: 'subscribed' });
  const stream = await EventStream.open(`${node.url}/v1/watch?kind=region`, bearer(b));
  await until('the stream is there', () => stream.events.length > 1);

  expect(await subscribe(second, '3', 'us')).toMatchObject({
    type: 'error',
    code: 'quota-exceeded',
    message: 'projects/one has 3 subscriptions on this node, and 3 is PROJECT_MAX_SUBSCRIPTIONS',
  });
  const headers = { ...bearer(a), accept: 'text/event-stream' };
  for (const path of ['/v1/watch?kind=region', `/v1/changes?since=${node.head}&wait=10s`]) {
    const response = await fetch(node.url + path, { headers });
    expect([response.status, ((await response.json()) as { type: string }).type]).toEqual([
      409,
      '/problems/quota-exceeded',
    ]);
  }
  // Others are not concerned: another project, and people.
  expect(await subscribe(await connect(node, await tokenOf('two-a')), '1', 'us')).toMatchObject({ type: 'subscribed' });
  const rita = await connect(node, await tokenOf('rita'));
  for (const id of ['1', '2', '3', '4'])
    expect(await subscribe(rita, id, `r${id}`)).toMatchObject({ type: 'subscribed' });

  // What ends makes room: a subscription, a socket.
  first.send({ type: 'unsubscribe', id: '2' });
  await until('it has ended', () => first.frames.some(({ type }) => type === 'unsubscribed'));
  expect(await subscribe(second, '4', 'us')).toMatchObject({ type: 'subscribed' });
  expect(await subscribe(second, '5', 'eu')).toMatchObject({ type: 'error', code: 'quota-exceeded' });
  first.socket.terminate();
  await until('the socket is gone', () => node.hub.connections === 4);
  expect(await subscribe(second, '6', 'eu')).toMatchObject({ type: 'subscribed' });
  const waiting = fetch(`${node.url}/v1/changes?since=${node.head}&wait=10ms`, { headers: bearer(a) });
  expect((await waiting).status).toBe(409);
});

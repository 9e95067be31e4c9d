import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { KeptAnswers } from '../../src/edge/http/kept-answers.ts';
import { openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
beforeEach(async () => {
  edge = await openFilledEdge();
});
afterEach(() => edge.app.close());

interface Answer {
  readonly items: readonly { readonly port: number }[];
  readonly revision: number;
}

const get = (query = '', service = 'orders.test') =>
  edge.app.inject({ url: `/v1/services/${service}/instances${query}` });

async function found(query = ''): Promise<number[]> {
  const response = await get(query);
  if (response.statusCode !== 200) throw new Error(response.body);
  return (response.json() as Answer).items.map((item) => item.port).sort((a, b) => a - b);
}

async function register(port: number, more: object = {}): Promise<string> {
  const body = { service: 'orders.test', protocol: 'http', address: '10.0.0.1', port, ...more };
  const response = await edge.app.inject({ method: 'POST', url: '/v1/instances', payload: body });
  if (response.statusCode >= 300) throw new Error(response.body);
  return (response.json() as { id: string }).id;
}

test('the instances of a service, whole, in order of name, with the revision', async () => {
  await register(1);
  await register(2, { service: 'other.test' });
  await register(3);
  const response = await get();
  const items = [...edge.catalog.view.bucket('in:instance:orders.test')].sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(response.json()).toEqual({ items: items.map((item) => item.value), revision: 4 });
  expect(response.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'x-signalbox-revision': '4',
  });
});

test('each filter selects, and all of them must hold', async () => {
  await register(1, { region: 'us', version: 'v1', environment: 'prod', tags: { zone: 'a', canary: 'true' } });
  await register(2, { region: 'eu', version: '1.4.2+a', tags: { zone: 'a' } });
  await register(3, { protocol: 'grpc', check: { type: 'tcp' } });
  await register(4, { environment: 'prod', region: 'us', check: { type: 'ttl', initialStatus: 'warning' } });
  expect(await found()).toEqual([1, 2, 3, 4]);
  expect(await found('?passing=true')).toEqual([1, 2, 4]);
  expect(await found('?passing=false')).toEqual([3]);
  expect(await found('?environment=prod')).toEqual([1, 4]);
  expect(await found('?environment=')).toEqual([2, 3]);
  expect(await found('?version=v1')).toEqual([1]);
  expect(await found('?version=1.4.2%2Ba')).toEqual([2]);
  expect(await found('?version=')).toEqual([3, 4]);
  expect(await found('?region=us')).toEqual([1, 4]);
  expect(await found('?region=-')).toEqual([3]);
  expect(await found('?region=ap')).toEqual([]);
  expect(await found('?protocol=grpc')).toEqual([3]);
  expect(await found('?tag=zone=a')).toEqual([1, 2]);
  expect(await found('?tag=zone%3Da,canary%3Dtrue')).toEqual([1]);
  expect(await found('?tag=zone=')).toEqual([]);
  expect(await found('?passing=true&environment=prod&region=us&version=v1&protocol=http&tag=zone=a')).toEqual([1]);
});

test('an unknown service has no instances, since callers start before what they call; an impossible one is a mistake', async () => {
  expect((await get('', 'not-yet.test')).body).toBe('{"items":[],"revision":1}');
  expect((await get('', 'iam.test')).body).toBe('{"items":[],"revision":1}');
  for (const service of ['Orders.test', '-', 'a%2Fb', '..x', 'a'.repeat(260)]) {
    const response = await get('', service);
    expect([service, response.statusCode]).toEqual([service, 400]);
    expect(response.json().errors).toEqual([{ parameter: 'service', detail: expect.stringContaining('domain name') }]);
  }
});

test.each([
  ['passing=yes', 'passing'],
  ['passing=', 'passing'],
  ['pasing=true', 'pasing'],
  ['region=US', 'region'],
  ['region=', 'region'],
  ['protocol=', 'protocol'],
  ['environment=a%20b', 'environment'],
  ['version=-', 'version'],
  ['tag=zone', 'tag'],
  ['tag=', 'tag'],
  ['tag=Zone=a', 'tag'],
  ['tag=zone=a,zone=b', 'tag'],
  ['tag=zone=a&tag=canary=true', 'tag'],
  ['region=us&region=eu', 'region'],
  ['limit=1', 'limit'],
])('?%s is refused', async (query, parameter) => {
  await register(1);
  for (let i = 0; i < 2; i++) {
    const response = await get(`?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ type: '/problems/invalid', errors: [{ parameter }] });
  }
});

test('what was answered before is answered again only as long as it is right', async () => {
  const id = await register(1);
  const read = async (query: string): Promise<Answer> => (await get(query)).json() as Answer;
  for (const query of ['', '?passing=true']) {
    expect(await read(query)).toMatchObject({ items: [{ port: 1 }], revision: 2 });
  }
  await register(2, { service: 'other.test' });
  for (const query of ['', '?passing=true', '?passing=false']) expect((await read(query)).revision).toBe(3);
  const drained = await edge.app.inject({
    method: 'PUT',
    url: `/v1/instances/${id}/override`,
    payload: { mode: 'drain', reason: 'x' },
  });
  expect(drained.statusCode).toBe(201);
  expect(await read('')).toMatchObject({ items: [{ port: 1 }], revision: 4 });
  expect(await read('?passing=true')).toEqual({ items: [], revision: 4 });
  await edge.app.inject({ method: 'DELETE', url: `/v1/instances/${id}` });
  expect(await read('')).toEqual({ items: [], revision: 5 });
});

test('a read waits for the revision that the caller has seen', async () => {
  const headers = { 'x-signalbox-min-revision': '2' };
  const waiting = edge.app.inject({ url: '/v1/services/orders.test/instances', headers });
  await register(1);
  expect((await waiting).json().items).toHaveLength(1);
});

test('nothing is encoded twice, and what is kept is bounded', () => {
  const kept = new KeptAnswers();
  const items = [...edge.catalog.view.all()];
  let encoded = 0;
  const ask = (question: string, revision: number): string =>
    kept.get(items, question, revision, () => `{"q":"é${++encoded}","revision":`).toString();
  expect(ask('a', 1)).toBe('{"q":"é1","revision":1}');
  expect(ask('a', 1)).toBe('{"q":"é1","revision":1}');
  expect(ask('a', 12)).toBe('{"q":"é1","revision":12}');
  expect(ask('a', 9)).toBe('{"q":"é1","revision":9}');
  for (let i = 0; i < 16; i++) ask(`b${i}`, 12);
  expect(encoded).toBe(17);
  expect(ask('b15', 13)).toBe('{"q":"é17","revision":13}');
  expect(ask('a', 13)).toBe('{"q":"é18","revision":13}');
  expect(kept.get([], 'a', 13, () => '{"q":"other","revision":').toString()).toBe('{"q":"other","revision":13}');
});

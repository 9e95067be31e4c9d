import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Random } from '../support/random.ts';
import { call, type Answer, type Signalbox } from '../support/signalbox.ts';
import { Canary } from './canary.ts';
import { postgresHome, type Home } from './homes.ts';
import {
  headOf,
  httpCheck,
  instance,
  instancesOf,
  passingOf,
  register,
  ttlCheck,
  type Registered,
} from './instance-api.ts';
import { WRONG, WRONG_OVERRIDES, WRONG_RENEWALS } from './instance-nonsense.ts';
import { Caller } from './http-client.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

const MIB = 1024 * 1024;
/** A round of the canary beside all this: a write, a read and a push. */
const ROUND_MS = 2000;
const SERVICE = 'hostile.example.com';

describe('registrations and renewals that are wrong', () => {
  let home: Home;
  let node: Signalbox;
  let canary: Canary;
  let good: Registered;
  beforeAll(async () => {
    home = await postgresHome();
    node = await startNode(home.env);
    good = await register(node.url, instance('good.example.com', 8080, { check: ttlCheck('1h') }));
    canary = await Canary.start(node);
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  const post = (body: unknown, path = '/v1/instances'): Promise<Answer> => call(node.url, 'POST', path, body);

  /** A clear refusal: a problem with a type, and for a body where and what is wrong. */
  function refused({ status, headers, body }: Answer, expected = 400): void {
    expect({ status, body }).toEqual({ status: expected, body: expect.objectContaining({ status: expected }) });
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body.type).toMatch(/^\/problems\/[a-z-]+$/);
    expect(body.detail).not.toBe('');
    expect(JSON.stringify(body).length).toBeLessThan(8192);
  }

  test('metadata of a megabyte, and other bodies that are too large', async () => {
    refused(await post(instance(SERVICE, 80, { metadata: { a: 'x'.repeat(MIB) } })), 413);
    refused(await post(instance(SERVICE, 80, { metadata: { a: 'x'.repeat(MIB - 4096) } })));
    const many = (n: number, length: number) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`key-${i}`, 'x'.repeat(length)]));
    refused(await post(instance(SERVICE, 80, { metadata: many(10_000, 10) })));
    // Each is short enough, and all together are not.
    refused(await post(instance(SERVICE, 80, { metadata: many(64, 1000) })));
    refused(await post(instance(SERVICE, 80, { tags: many(1000, 5) })));
    refused(await post(instance(SERVICE, 80, { check: httpCheck({ path: `/${'x'.repeat(100_000)}` }) })));
    refused(await post(instance(SERVICE, 80, { check: httpCheck({ headers: many(17, 5) }) })));
    refused(await post(instance(SERVICE, 80, { check: httpCheck({ expectedStatuses: Array(100).fill('200') }) })));
    refused(await post(`{"service":${'['.repeat(100_000)}`));
    refused(await post(`${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`));
    expect(await instancesOf(node.url, SERVICE)).toEqual([]);
  });

  test('values that are none', async () => {
    const head = await headOf(node.url);
    const taken = [];
    for (const each of WRONG) {
      const answer = await post(instance(SERVICE, 80, each));
      if (answer.status < 400) taken.push(each);
      else {
        refused(answer);
        expect(answer.body.errors.length).toBeGreaterThan(0);
        for (const { pointer, detail } of answer.body.errors) {
          expect(pointer).toMatch(/^\//);
          expect(detail).not.toMatch(/[\p{Cc}]/u);
        }
      }
    }
    expect(taken).toEqual([]);
    for (const body of [null, [], 'text', 7, {}, [instance(SERVICE, 80)]])
      refused(await post(body === 'text' ? '"text"' : body));
    refused(await post('{"service":'));
    refused(await call(node.url, 'POST', '/v1/instances', Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1')));
    refused(
      await call(node.url, 'POST', '/v1/instances', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
    );
    // Only the canary has written meanwhile.
    const { items } = (await call(node.url, 'GET', '/v1/instances')).body as { items: { service: string }[] };
    expect(items.map(({ service }) => service)).toEqual(['good.example.com']);
    expect(await headOf(node.url)).toBeGreaterThanOrEqual(head);
  }, 60_000);

  test('keys that mean something to JavaScript are keys', async () => {
    const body =
      '{"service":"keys.example.com","protocol":"http","address":"127.0.0.1","port":1,"tags":{"constructor":"a"},"metadata":{"__proto__":"b","toString":"c"}}';
    const { status, body: answer } = await post(body);
    expect(status).toBe(201);
    expect(JSON.stringify(answer.instance.metadata)).toBe('{"__proto__":"b","toString":"c"}');
    expect(answer.instance.tags).toEqual({ constructor: 'a' });
    expect((await call(node.url, 'DELETE', `/v1/instances/${answer.id}`)).status).toBe(200);
  });

  test('renewals of ten thousand, of too many, and of what is nothing', async () => {
    const unknown = Array.from({ length: 10_000 }, (_, i) => i.toString(16).padStart(24, '0'));
    const bulk = (instances: unknown): Promise<Answer> => post({ instances }, '/v1/instances/renew');
    const most = await bulk([...unknown.slice(1), good.id]);
    expect(most.status).toBe(200);
    expect(most.body).toMatchObject({ renewed: 1 });
    expect(most.body.unknown).toHaveLength(9999);
    refused(await bulk([...unknown, good.id]));
    refused(await post(`{"instances":["${'x'.repeat(3 * MIB)}"]}`, '/v1/instances/renew'), 413);
    for (const instances of WRONG_RENEWALS(good)) {
      refused(await bulk(instances));
    }
    refused(await post({ instances: [], more: 1 }, '/v1/instances/renew'));
    expect((await bulk([])).body).toEqual({ renewed: 0, unknown: [] });
    expect((await bulk([{ id: good.id, generation: good.generation + 1 }])).body).toEqual({
      renewed: 0,
      unknown: [good.id],
    });

    for (const id of [
      '0'.repeat(24),
      'x',
      good.id.slice(1),
      '%00',
      '..%2f..',
      '__proto__',
      'x'.repeat(80),
      '%20',
      '-',
    ]) {
      refused(await post(undefined, `/v1/instances/${id}/renew`), 404);
    }
    for (const body of [[], 'text', { generation: 'x' }, { generation: null }, { more: 1 }]) {
      refused(await post(JSON.stringify(body), `/v1/instances/${good.id}/renew`));
    }
    refused(await post({ generation: good.generation + 1 }, `/v1/instances/${good.id}/renew`), 404);
  });

  test('reads, overrides and deregistrations of what is nothing', async () => {
    const send = (method: string, path: string, body?: unknown): Promise<Answer> => call(node.url, method, path, body);
    for (const id of ['0'.repeat(24), 'x', '%00', '__proto__', 'constructor']) {
      const statuses = [];
      for (const [method, path, body] of [
        ['GET', `/v1/instances/${id}`],
        ['DELETE', `/v1/instances/${id}`],
        ['GET', `/v1/instances/${id}/override`],
        ['DELETE', `/v1/instances/${id}/override`],
        ['PUT', `/v1/instances/${id}/override`, { mode: 'drain', reason: 'x' }],
      ] as const) {
        const answer = await send(method, path, body);
        statuses.push(answer.status);
        refused(answer, answer.status);
      }
      expect(statuses.every((status) => status === 404 || status === 400)).toBe(true);
    }
    const override = `/v1/instances/${good.id}/override`;
    for (const body of WRONG_OVERRIDES) {
      refused(await send('PUT', override, body ?? 'null'));
    }
    for (const path of [
      '/v1/services/a%2fb/regions/-/override',
      '/v1/services/a.example.com/regions/UP/override',
      '/v1/services/a.example.com/regions/--/override',
    ]) {
      refused(await send('PUT', path, { mode: 'drain', reason: 'x' }));
    }
    for (const query of [
      'passing=maybe',
      'region=UP',
      'tag=%00',
      'nothing=1',
      'version=a%20b',
      'passing=true&passing=false',
    ]) {
      refused(await send('GET', `/v1/services/${SERVICE}/instances?${query}`));
    }
    refused(await send('GET', '/v1/instances?filter=status%20=%20'));
    refused(await send('GET', `/v1/instances?filter=${'('.repeat(2000)}`));
    refused(await send('DELETE', `/v1/instances/${good.id}?generation=x`));
    expect(await passingOf(node.url, 'good.example.com')).toHaveLength(1);
  });

  test('three hundred registrations with anything in them: what is taken is there, and nothing makes the server fail', async () => {
    const random = new Random(17);
    const junk: readonly unknown[] = [
      null,
      '',
      0,
      -1,
      1e21,
      true,
      [],
      {},
      'x'.repeat(5000),
      '\u0000',
      '\ud800',
      '1s',
      'http',
      { type: 'ttl' },
      ['a'],
    ];
    const base = instance('fuzz.example.com', 9000, {
      check: httpCheck({ interval: '1h' }),
      tags: { a: 'b' },
      metadata: { c: 'd' },
      region: 'eu-central',
      version: 'v1',
      weight: 3,
    });
    const caller = new Caller(node.url);
    let taken = 0;
    for (let i = 0; i < 300; i++) {
      const body = structuredClone(base) as Record<string, unknown>;
      for (let changes = 1 + random.below(2); changes > 0; changes--) {
        const inCheck = random.below(2) === 0 && typeof body['check'] === 'object' && body['check'] !== null;
        const place = inCheck ? (body['check'] as Record<string, unknown>) : body;
        const key = random.pick([...Object.keys(place), 'new']);
        if (random.below(4) === 0) delete place[key];
        else place[key] = random.pick(junk);
      }
      const { status, body: answer } = await caller.send('POST', '/v1/instances', body);
      if (status === 400) expect(answer.errors.length).toBeGreaterThan(0);
      else {
        expect([200, 201]).toContain(status);
        taken += 1;
        const back = await caller.send('GET', `/v1/instances/${answer.id}`);
        expect(back.body).toMatchObject(answer.instance);
      }
    }
    caller.close();
    expect(taken).toBeGreaterThan(5);
    expect(taken).toBeLessThan(250);
  }, 60_000);

  test('frames of registration that are wrong, from many sockets at once', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => WatchClient.open(node.url)));
    for (const client of clients) {
      client.send({ type: 'register', id: 'a', instance: { service: SERVICE, metadata: { a: 'x'.repeat(50_000) } } });
      client.send({ type: 'register', id: 'b', instance: [] });
      client.send({ type: 'register', instance: {} });
      client.send({ type: 'renew', instances: ['x'] });
      client.send({ type: 'renew', instances: Array.from({ length: 1001 }, () => good.id) });
      client.send({ type: 'deregister', id: 'c', instance: '../regions/canary' });
      client.send({ type: 'deregister', id: 'd', instance: '0'.repeat(24) });
      // More than may wait for their answers.
      for (let i = 0; i < 200; i++) client.send({ type: 'register', id: `many-${i}`, instance: instance(SERVICE, i) });
    }
    for (const client of clients) {
      await client.next('deregistered', ({ id }) => id === 'd');
      // Each is answered, one way or the other.
      await until('all are answered', () => {
        const ids = client.frames.flatMap((frame) => ('id' in frame && frame.id?.startsWith('many') ? [frame.id] : []));
        return new Set(ids).size === 200;
      });
      const codes = new Set(client.frames.flatMap((frame) => (frame.type === 'error' ? [frame.code] : [])));
      expect([...codes].filter((code) => !['bad-frame', 'refused', 'too-many-requests'].includes(code))).toEqual([]);
      client.ws.terminate();
    }
  }, 60_000);

  test('and beside all of it others were served as ever', async () => {
    const { rounds, slowest } = await canary.stop();
    expect(rounds).toBeGreaterThan(20);
    expect(slowest).toBeLessThan(ROUND_MS);
    expect(node.output()).not.toMatch(/"level":(?:50|60)/);
    expect(await node.stop()).toBe(0);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { call, type Signalbox } from '../support/signalbox.ts';
import { HOMES, type Home } from './homes.ts';
import { headOf, httpCheck, instance, passingOf, read, register, registerAll, ttlCheck } from './instance-api.ts';
import { Target } from './instance-targets.ts';
import { Witness } from './instance-witness.ts';
import { Caller, type Reply } from './http-client.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

describe.each(HOMES)('what says nothing new, on $database', ({ makeHome }) => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await makeHome();
    node = await startNode(home.env);
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  test('REV3 a thousand renewals, one at a time and many at once, make no revision', async () => {
    const bodies = Array.from({ length: 10 }, (_, i) =>
      instance('renewed.example.com', i + 1, { check: ttlCheck('30s') }),
    );
    const ids = (await registerAll(node.url, bodies)).map(({ id }) => id);
    const head = await headOf(node.url);
    await Promise.all(
      ids.map(async (id) => {
        const caller = new Caller(node.url);
        for (let i = 0; i < 50; i++) {
          expect((await caller.send('POST', `/v1/instances/${id}/renew`)).status).toBe(204);
        }
        caller.close();
      }),
    );
    for (let i = 0; i < 50; i++) {
      const { status, body } = await call(node.url, 'POST', '/v1/instances/renew', { instances: ids });
      expect({ status, body }).toEqual({ status: 200, body: { renewed: 10, unknown: [] } });
    }
    expect(await headOf(node.url)).toBe(head);
    expect((await passingOf(node.url, 'renewed.example.com')).every(({ revision }) => revision <= head)).toBe(true);
  }, 60_000);

  test('REV3 two hundred results of checks make no revision, and are answered all the same', async () => {
    const targets = await Target.many(20);
    leftovers.push(() => Promise.all(targets.map((target) => target.close())));
    const witness = await Witness.open(node.url, { kind: 'instance', services: ['checked.example.com'] });
    leftovers.push(() => witness.stop());
    // Whatever they answer, as long as it comes to the same.
    let n = 0;
    for (const target of targets) {
      target.answer = (_request, response) => {
        n += 1;
        response.writeHead(200 + (n % 5), { 'x-n': String(n) }).end(n % 5 === 4 ? undefined : `answer ${n}`);
      };
    }
    const bodies = targets.map(({ port }) => instance('checked.example.com', port, { check: httpCheck() }));
    const registered = await registerAll(node.url, bodies);
    await until('all pass', () => witness.passing === targets.length);
    const head = await headOf(node.url);
    const told = witness.told.length;
    const from = n;
    await until('two hundred checks', () => n >= from + 200);
    const { report } = await read(node.url, registered[0]?.id ?? '');
    expect(report.lastChecks.length).toBeGreaterThan(2);
    expect(report.consecutivePasses).toBeGreaterThanOrEqual(8);
    expect(await headOf(node.url)).toBe(head);
    expect(witness.told).toHaveLength(told);
    for (const { id } of registered) await call(node.url, 'DELETE', `/v1/instances/${id}`);
  }, 60_000);

  test('REV3 of 64 equal registrations at once one makes a revision, and all are answered with it', async () => {
    const head = await headOf(node.url);
    const witness = await Witness.open(node.url, { kind: 'instance', services: ['same.example.com'] });
    leftovers.push(() => witness.stop());
    const body = instance('same.example.com', 8080, { tags: { zone: 'a', canary: 'yes' }, metadata: { build: '42' } });
    const callers = Array.from({ length: 64 }, () => new Caller(node.url));
    const replies: Reply[] = await Promise.all(callers.map((caller) => caller.send('POST', '/v1/instances', body)));
    for (const caller of callers) caller.close();
    expect(replies.map(({ status }) => status).toSorted((a, b) => b - a)).toEqual([
      201,
      ...Array<number>(63).fill(200),
    ]);
    expect(
      new Set(replies.map(({ body: { id, generation, instance: value } }) => `${id} ${generation} ${value.revision}`))
        .size,
    ).toBe(1);
    expect(await headOf(node.url)).toBe(head + 1);
    expect(witness.told.map(({ op, revision }) => `${op} ${revision}`)).toEqual([`put ${head + 1}`]);
  });

  test('REV3 the same in other words makes no revision; anything else makes one', async () => {
    const body = {
      service: 'words.example.com',
      protocol: 'http',
      address: '::1',
      port: 8080,
      tags: { a: '1', b: '2' },
      metadata: {},
      check: {
        type: 'http',
        path: '/',
        interval: '60s',
        timeout: '2s',
        expectedStatuses: ['200', '204'],
        headers: { 'x-a': '1' },
      },
    };
    const first = await register(node.url, body);
    const head = await headOf(node.url);
    const { metadata: _, ...without } = body;
    const same: object[] = [
      { ...body, weight: 1 },
      without,
      { ...body, tags: { b: '2', a: '1' } },
      { ...body, address: '0:0:0:0:0:0:0:1' },
      { ...body, check: { ...body.check, interval: '1m', timeout: '2000ms' } },
      {
        ...body,
        check: {
          ...body.check,
          unhealthyAfter: 2,
          healthyAfter: 1,
          initialStatus: 'critical',
          deregisterAfter: '600s',
        },
      },
      { ...body, check: { ...body.check, expectedStatuses: ['204', '200', '200'], headers: { 'X-A': '1' } } },
      Object.fromEntries(Object.entries(body).toReversed()),
    ];
    for (const again of same) expect(await register(node.url, again)).toMatchObject({ id: first.id, revision: head });
    expect(await headOf(node.url)).toBe(head);
    const other: object[] = [
      { ...body, weight: 2 },
      { ...body, version: 'v2' },
      { ...body, tags: {} },
      { ...body, metadata: { a: 'b' } },
      { ...body, region: 'eu-central' },
      { ...body, check: { ...body.check, path: '/other' } },
    ];
    for (const [i, changed] of other.entries()) {
      expect(await register(node.url, changed)).toMatchObject({
        id: first.id,
        revision: head + 1 + i,
        generation: first.generation,
      });
    }
  });
});

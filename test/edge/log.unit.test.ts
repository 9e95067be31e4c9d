import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await openFilledEdge();
  await edge.app.inject({ method: 'PATCH', url: '/v1/regions/us', payload: { title: 'US' } });
  await edge.app.inject({ method: 'DELETE', url: '/v1/services/iam.test/resources/User' });
});
afterAll(() => edge.app.close());

const get = async (url: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await edge.app.inject(url);
  return { status: response.statusCode, body: response.json() };
};

test('REV4 the log answers what followed a revision, whole revisions in order', async () => {
  const { body } = await get('/v1/changes?since=1');
  expect(body).toEqual({
    from: 1,
    to: 3,
    head: 3,
    epoch: 'e1',
    changes: [
      { op: 'put', kind: 'region', key: 'regions/us', revision: 2, value: edge.catalog.view.get('regions/us')?.value },
      { op: 'delete', kind: 'resourceType', key: 'services/iam.test/resources/User', revision: 3 },
    ],
  });
  expect((await get('/v1/changes?since=3')).body).toEqual({ from: 3, to: 3, head: 3, epoch: 'e1', changes: [] });
  expect((await get('/v1/changes?since=1&limit=1')).body).toMatchObject({ to: 2, head: 3 });
  expect((await get('/v1/changes?since=0&limit=1')).body).toMatchObject({ to: 1, changes: { length: 12 } });
});

test.each([
  ['since=9', 'future'],
  ['since=1&epoch=other', 'epoch'],
])('REV4 a position that is not in the log starts over: %s', async (query, reason) => {
  const { status, body } = await get(`/v1/changes?${query}`);
  expect(status).toBe(410);
  expect(body).toMatchObject({ type: '/problems/start-over', reason, head: { epoch: 'e1', revision: 3 } });
});

test('REV4 a position that was trimmed starts over', async () => {
  edge.catalog.head = { ...edge.catalog.head, trimmed: 2 };
  expect((await get('/v1/changes?since=1')).body).toMatchObject({ status: 410, reason: 'trimmed' });
  expect((await get('/v1/changes?since=2')).status).toBe(200);
  edge.catalog.head = { ...edge.catalog.head, trimmed: 0 };
});

test.each(['', '?since=-1', '?since=x', '?since=1&limit=0', '?since=1&limit=1001', '?since=1.5', '?since='])(
  'changes%s is refused',
  async (query) => {
    expect((await get(`/v1/changes${query}`)).body).toMatchObject({
      status: 400,
      errors: [{ parameter: expect.any(String) }],
    });
  },
);

test('a log that cannot be read is 503, not a mistake of the server', async () => {
  const away = Object.assign(new Error('no connection to 10.1.2.3'), { name: 'StoreUnavailable' });
  const broken = await openFilledEdge({ log: { read: () => Promise.reject(away) } });
  const response = await broken.app.inject('/v1/changes?since=0');
  expect(response.json()).toMatchObject({ type: '/problems/store-unavailable', retryAfter: 1 });
  expect(response.body).not.toContain('10.1.2.3');
  await broken.app.close();
});

test('the state says where the log stands', async () => {
  expect((await get('/v1/state')).body).toEqual({ epoch: 'e1', revision: 3, trimmed: 0, ready: true, resources: 11 });
});

test('COV1 the coverage says what runs where and what is missing', async () => {
  const { body } = await get('/v1/coverage?service=shop.test');
  expect(body).toMatchObject({
    revision: 3,
    services: [
      {
        service: 'shop.test',
        regions: {
          us: { deployed: true, covered: true },
          eu: {
            deployed: false,
            deployable: false,
            imports: [{ service: 'iam.test', covered: false, reason: 'import-not-deployed' }],
          },
        },
      },
    ],
  });
  const one = (await get('/v1/coverage?region=us')).body['services'] as { regions: object }[];
  expect(one.map((row) => Object.keys(row.regions))).toEqual([['us'], ['us']]);
  expect((await get('/v1/coverage?service=nope')).status).toBe(404);
  expect((await get('/v1/coverage?region=nope')).status).toBe(404);
});

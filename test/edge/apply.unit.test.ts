import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Response } from 'light-my-request';
import { MANIFEST, openEdge, openFilledEdge, type Document, type Edge } from './harness.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await openFilledEdge();
});
afterAll(() => edge.app.close());

const NDJSON = 'application/x-ndjson';
const YAML = 'application/yaml';

const apply = (body: string | object, type = 'application/json', query = '', on = edge): Promise<Response> =>
  on.app.inject({ method: 'POST', url: `/v1/apply${query}`, headers: { 'content-type': type }, payload: body });

const dryRun = (body: string | object, type?: string): Promise<Response> => apply(body, type, '?dryRun=true');

const ndjson = (documents: readonly Document[]): string =>
  documents.map((document) => JSON.stringify(document)).join('\n');
const exported = async (accept: string, on = edge): Promise<string> =>
  (await on.app.inject({ url: '/v1/export', headers: { accept } })).body;

test('many resources become one revision, in any order and any form', async () => {
  const yaml = await exported(YAML);
  for (const [body, type] of [
    [MANIFEST, 'application/json'],
    [MANIFEST.toReversed(), 'application/json; charset=utf-8'],
    [ndjson(MANIFEST), NDJSON],
    [`\n${ndjson(MANIFEST)}\r\n\n`, 'application/ndjson'],
    [yaml, YAML],
    [yaml, 'text/yaml'],
  ] as const) {
    const own = await openEdge();
    const response = await apply(body, type, '', own);
    expect(response.json()).toMatchObject({
      revision: 1,
      dryRun: false,
      summary: { created: MANIFEST.length, updated: 0, unchanged: 0, deleted: 0 },
    });
    expect(response.headers['x-signalbox-revision']).toBe('1');
    await own.app.close();
  }
});

test('one document is a manifest too', async () => {
  const response = await dryRun({ name: 'regions/ap', title: 'Asia' });
  expect(response.json()).toEqual({
    revision: 2,
    dryRun: true,
    summary: { created: 1, updated: 0, unchanged: 0, deleted: 0 },
    items: [{ name: 'regions/ap', op: 'created' }],
    warnings: [],
  });
  expect(response.headers).toMatchObject({ 'x-signalbox-dry-run': 'true', 'x-signalbox-revision': '1' });
});

test('what changes of a resource is said field by field', async () => {
  const { items } = (
    await dryRun([
      { name: 'regions/us', title: 'USA', location: { country: 'US', city: 'Ashburn' } },
      { name: 'regions/eu', title: 'Europe', location: { continent: 'Europe' } },
    ])
  ).json();
  expect(items).toEqual([
    {
      name: 'regions/us',
      op: 'updated',
      changes: [
        { path: '/title', before: 'United States', after: 'USA' },
        { path: '/location/city', after: 'Ashburn' },
        { path: '/labels/tier', before: '1' },
      ],
    },
    { name: 'regions/eu', op: 'unchanged' },
  ]);
});

test('COV5 a dry run of an apply answers what the apply answers', async () => {
  const own = await openFilledEdge();
  const body = [
    { name: 'regions/ap', title: 'Asia' },
    { name: 'services/iam.test/deployments/us', regionalEndpoint: 'odd.test', currentVersion: 'v2' },
  ];
  const dry = await apply(body, undefined, '?dryRun=true&prune=tier=none', own);
  const real = await apply(body, undefined, '?prune=tier=none', own);
  expect(dry.json()).toEqual({ ...(real.json() as object), dryRun: true });
  expect(real.json().warnings).not.toEqual([]);
  await own.app.close();
});

test('prune deletes what carries the labels and is not listed', async () => {
  const own = await openEdge();
  const a = { name: 'regions/aa', title: 'a', labels: { from: 'test', x: '1' } };
  const b = { name: 'regions/bb', title: 'b', labels: { from: 'test', x: '1' } };
  await apply([a, b, { name: 'regions/cc', title: 'c', labels: { from: 'test' } }], undefined, '', own);
  const response = await apply([a], undefined, '?prune=from=test,x=1', own);
  expect(response.json()).toMatchObject({
    summary: { created: 0, updated: 0, unchanged: 1, deleted: 1 },
    items: [
      { name: 'regions/aa', op: 'unchanged' },
      { name: 'regions/bb', op: 'deleted' },
    ],
  });
  await own.app.close();
});

test.each(['', 'x', '=x', 'a=b,', 'A=b', 'a=b,a=c'])('prune=%j is refused', async (text) => {
  const response = await apply(
    [{ name: 'regions/aa', title: 'a' }],
    undefined,
    `?dryRun=true&prune=${encodeURIComponent(text)}`,
  );
  expect(response.json()).toMatchObject({ status: 400, errors: [{ parameter: 'prune' }] });
});

test('an empty manifest changes nothing, and never prunes', async () => {
  for (const [body, type] of [
    ['[]', undefined],
    ['', NDJSON],
    ['\n\n', NDJSON],
    ['', YAML],
    ['---\n...\n---\n# nothing\n', YAML],
  ] as const) {
    expect((await apply(body, type)).json()).toMatchObject({ revision: 1, items: [] });
    expect((await apply(body, type, '?prune=team=identity')).statusCode).toBe(400);
  }
  expect(edge.catalog.head.revision).toBe(1);
});

test.each(['application/x-ndjson', 'application/json', 'application/yaml'])(
  'COV5 REV3 an export as %s, applied, changes nothing and makes no revision; applied elsewhere it is the same catalog',
  async (type) => {
    const manifest = await exported(type);
    const again = await apply(manifest, type);
    expect(again.json()).toMatchObject({
      revision: 1,
      summary: { created: 0, updated: 0, deleted: 0 },
      warnings: expect.any(Array),
    });
    expect(edge.catalog.head.revision).toBe(1);
    const own = await openEdge();
    expect((await apply(manifest, type, '', own)).statusCode).toBe(200);
    expect(await exported(type, own)).toBe(manifest);
    expect([...own.catalog.view.all()].map((item) => item.json).toSorted()).toEqual(
      [...edge.catalog.view.all()].map((item) => item.json).toSorted(),
    );
    await own.app.close();
  },
);

test('an export reads from the outside in, without what the server assigns', async () => {
  const documents = (await exported('*/*'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Document);
  expect(documents.map((document) => document.name)).toEqual([
    'regions/eu',
    'regions/us',
    'projects/core',
    'projects/core/service-accounts/deployer',
    'services/iam.test',
    'services/iam.test/versions/v1',
    'services/iam.test/versions/v2',
    'services/iam.test/resources/User',
    'services/iam.test/deployments/us',
    'services/shop.test',
    'services/shop.test/versions/v1',
    'services/shop.test/deployments/us',
  ]);
  for (const document of documents) {
    for (const assigned of ['revision', 'createTime', 'updateTime', 'effectiveUses'])
      expect(document).not.toHaveProperty(assigned);
  }
  expect(documents[4]).toHaveProperty('apiId', 'iam');
});

test('an export may be of one service, or of what carries labels', async () => {
  const of = async (query: string): Promise<string[]> => {
    const { body } = await edge.app.inject(`/v1/export?${query}`);
    return body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Document).name);
  };
  expect(await of('service=shop.test')).toEqual([
    'services/shop.test',
    'services/shop.test/versions/v1',
    'services/shop.test/deployments/us',
  ]);
  expect(await of('labels=team=identity')).toEqual(['services/iam.test']);
  expect(await of('labels=tier=2')).toEqual([]);
  expect((await edge.app.inject('/v1/export?service=nope')).statusCode).toBe(404);
  expect((await edge.app.inject('/v1/export?labels=x')).statusCode).toBe(400);
});

test('an export that cannot be had in an accepted form is 406, and preferences count', async () => {
  const type = async (accept: string): Promise<unknown> =>
    (await edge.app.inject({ url: '/v1/export', headers: { accept } })).headers['content-type'];
  expect(await type('text/html')).toBe('application/problem+json; charset=utf-8');
  expect(await type('text/html, application/yaml;q=0.5, application/json;q=0.4')).toBe('application/yaml');
  expect(await type('application/json;q=0.1, */*;q=0.2')).toBe('application/x-ndjson');
  expect(await type('application/json;q=0')).toBe('application/problem+json; charset=utf-8');
});

test('errors lead into the document that is wrong, and name it', async () => {
  const bad = { name: 'regions/ap', titel: 'x' };
  expect((await apply([{ name: 'regions/aa', title: 'x' }, bad])).json()).toMatchObject({
    status: 400,
    errors: [
      { pointer: '/1/title', resource: 'regions/ap', detail: expect.stringContaining('"titel" is not known here') },
    ],
  });
  expect((await apply([bad])).json().errors).toMatchObject([{ pointer: '/0/title', resource: 'regions/ap' }]);
  expect((await apply(bad)).json().errors).toMatchObject([{ pointer: '/title', resource: 'regions/ap' }]);
  expect((await apply('name: regions/ap\ntitel: x\n', YAML)).json().errors).toMatchObject([
    { pointer: '/0/title', resource: 'regions/ap' },
  ]);
  const twice = [
    { name: 'regions/aa', title: 'x' },
    { name: 'regions/aa', title: 'y' },
  ];
  expect((await apply(twice)).json().errors).toMatchObject([
    { pointer: '/1/name', detail: expect.stringContaining('twice') },
  ]);
});

test.each<[body: unknown, pointer: string, detail: string]>([
  [[{ title: 'x' }], '/0/name', 'is required: the path of the resource under /v1'],
  [[{ name: 7 }], '/0/name', 'must be a string'],
  [[{ name: 'regions' }], '/0/name', '"regions" is not the path of a resource'],
  [[{ name: '/v1/regions/aa' }], '/0/name', 'is not the path of a resource'],
  [[{ name: 'regions/AA' }], '/0/name', 'is not the path of a resource'],
  [[null], '/0', 'must be an object'],
  [[[]], '/0', 'must be an object'],
  ['text', '', 'must be an object'],
  [null, '', 'must be an object'],
])('a document that is no resource is refused: %j', async (body, pointer, detail) => {
  const response = await apply(JSON.stringify(body));
  expect(response.statusCode).toBe(400);
  expect(response.json().errors).toEqual([{ pointer, detail: expect.stringContaining(detail) }]);
});

test('so many errors are answered as somebody may read', async () => {
  const body = Array.from({ length: 500 }, () => ({ title: 'x' }));
  expect((await apply(body)).json().errors).toHaveLength(100);
  const invalid = Array.from({ length: 500 }, (_, i) => ({ name: `regions/r${i}` }));
  expect((await apply(invalid)).json().errors).toHaveLength(100);
});

test.each<[what: string, body: string, type: string, detail: string]>([
  ['NDJSON', '{"name":"regions/aa","title":"x"}\n\n{"name":', NDJSON, 'it ends too early, at line 3, column 9.'],
  ['YAML', 'name: regions/aa\ntitle: "x\n', YAML, '(line 3, column 1)'],
  ['YAML with a tab', 'name: regions/aa\nlabels:\n\ta: b\n', YAML, '(line 3, column'],
  ['a key twice', 'name: regions/aa\ntitle: x\ntitle: y\n', YAML, 'the key "title" comes twice (line 1, column 1)'],
  ['a tag', 'name: regions/aa\ntitle: !secret x\n', YAML, 'Unresolved tag: !secret (line 2'],
  ['an alias of nothing', 'name: *a\n', YAML, '(line 1, column 7)'],
  ['an infinity', 'name: .inf\n', YAML, 'a number that JSON does not have (line 1, column 7)'],
  ['a key that is a list', '? [a]\n: b\n', YAML, 'a key that is not a text'],
])('a manifest that cannot be read says where: %s', async (_what, body, type, detail) => {
  const response = await apply(body, type);
  expect(response.statusCode).toBe(400);
  expect(response.json()).toMatchObject({ type: '/problems/malformed-body', detail: expect.stringContaining(detail) });
});

test('YAML values mean what they mean in JSON', async () => {
  const yaml = `
# dates and versions are texts, yes and no too
name: services/iam.test/versions/v3
lifecycle: { state: deprecated, sunset: 2030-01-31 }
labels: &labels
  answer: "yes"
  other: no
---
name: services/iam.test/versions/v4
labels: *labels
`;
  const own = await openFilledEdge();
  expect((await apply(yaml, YAML, '', own)).statusCode).toBe(400);
  const fixed = yaml.replace('labels: *labels', 'labels: { x: &x a, y: *x }');
  expect((await apply(fixed, YAML, '', own)).statusCode).toBe(200);
  expect(own.catalog.view.get('services/iam.test/versions/v3')?.value).toMatchObject({
    lifecycle: { sunset: '2030-01-31' },
    labels: { answer: 'yes', other: 'no' },
  });
  expect(own.catalog.view.get('services/iam.test/versions/v4')?.value).toMatchObject({ labels: { x: 'a', y: 'a' } });
  await own.app.close();
});

test('a document of YAML may not keep the parser for long', async () => {
  for (const body of ['- a\n'.repeat(60_000), `name: regions/aa\n---\n${'a: b\n'.repeat(55_000)}`]) {
    const own = await openEdge({
      config: { bodyMaxBytes: 1024, applyMaxBytes: 1e6, readWaitMax: 10, requestTimeout: 1000 },
    });
    const response = await apply(body, YAML, '', own);
    if (body.length > 256 * 1024) expect(response.json()).toMatchObject({ type: '/problems/too-large' });
    else expect(response.statusCode).toBe(400);
    await own.app.close();
  }
});

test('alias bombs, deep nests and endless keys are refused in no time', async () => {
  const laughs = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 30; i++)
    laughs.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(',')}]`,
    );
  const aliases = `a: &a x\nb: [${Array(200).fill('*a').join(',')}]\n`;
  const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n');
  const started = performance.now();
  for (const body of [
    laughs.join('\n'),
    aliases,
    '['.repeat(20_000),
    `a: ${'{a: '.repeat(50)}x${'}'.repeat(50)}`,
    keys,
  ]) {
    expect((await apply(body, YAML)).statusCode).toBe(400);
  }
  for (const body of ['['.repeat(100_000), `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`]) {
    expect((await apply(body)).statusCode).toBe(400);
  }
  expect(performance.now() - started).toBeLessThan(5000);
});

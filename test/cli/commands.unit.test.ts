import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { EXIT } from '../../src/cli/errors.ts';
import { AnsweringServer, problem } from './terminal.ts';

let dir: string;

const server = new AnsweringServer();
const signalbox = server.signalbox.bind(server);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'signalbox-cli-'));
  await server.start();
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});
beforeEach(() => server.reset());

const answer = (more: object = {}) => ({
  revision: 3,
  dryRun: false,
  summary: { created: 1, updated: 0, unchanged: 1, deleted: 0 },
  items: [
    { name: 'regions/eu', op: 'created' },
    { name: 'regions/us', op: 'unchanged' },
  ],
  warnings: [{ code: 'odd', resource: 'regions/eu', message: 'looks odd' }],
  ...more,
});

describe('apply', () => {
  test('sends the documents of all files as NDJSON, and tells warnings apart', async () => {
    await writeFile(join(dir, 'a.yaml'), 'name: regions/eu\ntitle: Europe\n');
    server.answers['POST /v1/apply'] = () => answer();
    const ran = await signalbox(['apply', '-f', join(dir, 'a.yaml'), '-f', '-'], { stdin: '[{"name":"regions/us"}]' });
    expect(ran).toEqual({
      code: EXIT.ok,
      out: '+ regions/eu created\n1 created, 0 updated, 1 unchanged, 0 deleted; revision 3\n',
      err: 'warning: regions/eu: looks odd\n',
    });
    expect(server.seen).toEqual([
      {
        method: 'POST',
        url: '/v1/apply',
        type: 'application/x-ndjson',
        body: '{"name":"regions/eu","title":"Europe"}\n{"name":"regions/us"}\n',
      },
    ]);
  });

  test('--dry-run and --prune are the server’s', async () => {
    server.answers['POST /v1/apply'] = () => answer({ dryRun: true });
    const { out } = await signalbox(['apply', '-f', '-', '--dry-run', '--prune', '-l', 'team=iam', '-l', 'tier=1'], {
      stdin: '{"name":"regions/eu"}',
    });
    expect(server.seen[0]?.url).toBe('/v1/apply?dryRun=true&prune=team%3Diam%2Ctier%3D1');
    expect(out).toContain('nothing was changed (dry run)');
  });

  test('a mistake in a document is told with its file and line', async () => {
    await writeFile(join(dir, 'b.yaml'), '# two\nname: regions/eu\n---\nname: regions/us\ntitle: 7\n');
    server.answers['POST /v1/apply'] = (reply) =>
      problem(reply, 400, 'invalid', {
        detail: 'One document is wrong.',
        errors: [{ pointer: '/1/labels/a~1b', detail: 'must be a string, not a number' }],
      });
    const { code, err } = await signalbox(['apply', '-f', join(dir, 'b.yaml')]);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain(`  ${join(dir, 'b.yaml')}:4 regions/us labels.a/b  must be a string, not a number`);
  });

  test('a refusal is told with its fix, for this server', async () => {
    const violation = {
      code: 'region-missing',
      rule: 'CAT1',
      resource: 'x',
      message: 'regions/eu is not there.',
      fix: { method: 'PUT', path: '/v1/regions/eu', body: { title: 'EU' }, summary: 'Creates it.' },
    };
    server.answers['POST /v1/apply'] = (reply) =>
      problem(reply, 409, 'conflict', { detail: 'No.', violations: [violation] });
    const ran = await signalbox(['apply', '-f', '-'], { stdin: 'name: regions/us' });
    expect(ran).toMatchObject({ code: EXIT.failed, out: '' });
    expect(ran.err).toContain(
      `curl -X PUT ${server.url}/v1/regions/eu -H 'content-type: application/json' -d '{"title":"EU"}'`,
    );
    const machine = await signalbox(['apply', '-f', '-', '--json'], { stdin: 'name: regions/us' });
    expect(JSON.parse(machine.err)).toMatchObject({ type: '/problems/conflict', violations: [violation] });
  });

  test('nothing to apply, and files that cannot be read, do not reach the server', async () => {
    expect(await signalbox(['apply', '-f', '-'])).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('Nothing to apply'),
    });
    expect(await signalbox(['apply', '-f', join(dir, 'missing')])).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('there is no such file'),
    });
    expect(server.seen).toEqual([]);
  });
});

const region = (id: string) => ({
  name: `regions/${id}`,
  title: id.toUpperCase(),
  labels: {},
  revision: 1,
  createTime: 't',
  updateTime: 't',
});

describe('get', () => {
  test('goes through all pages, as far as --limit', async () => {
    server.answers['GET /v1/regions'] = (_reply, { pageToken }) =>
      pageToken === undefined
        ? { items: [region('a1'), region('a2')], nextPageToken: 'next', revision: 4 }
        : { items: [region('a3'), region('a4')], nextPageToken: '', revision: 4 };
    expect((await signalbox(['get', 'regions'])).out).toBe(
      'REGION  TITLE  REVISION\na1      A1            1\na2      A2            1\na3      A3            1\na4      A4            1\n',
    );
    const three = await signalbox(['get', 'r', '--limit', '3', '--json', '-l', 'k=v', '--order-by', 'name desc']);
    expect(
      three.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([region('a1'), region('a2'), region('a3')]);
    expect(server.seen.at(-1)?.url).toBe(
      '/v1/regions?filter=labels.%22k%22+%3D+%22v%22&orderBy=name+desc&pageSize=1&pageToken=next',
    );
  });

  test('nothing there is a sentence for people and nothing for machines', async () => {
    server.answers['GET /v1/services'] = () => ({ items: [], nextPageToken: '', revision: 0 });
    expect((await signalbox(['get', 'services'])).out).toBe(
      'There are no services yet. `signalbox apply -f FILE` brings some.\n',
    );
    expect((await signalbox(['get', 'services', '-l', 'a=b'])).out).toBe(
      'No services match. `signalbox get services` lists all.\n',
    );
    expect((await signalbox(['get', 'services', '--json'])).out).toBe('');
  });

  test.each([[['region', 'eu']], [['regions/eu']], [['regions', 'regions/eu', '--json']]])(
    'one resource: %j',
    async (args) => {
      server.answers['GET /v1/regions/eu'] = () => region('eu');
      const { code, out } = await signalbox(['get', ...args]);
      expect(code).toBe(EXIT.ok);
      expect(out).toBe(
        args.includes('--json')
          ? `${JSON.stringify(region('eu'))}\n`
          : 'name: regions/eu\ntitle: EU\nlabels: {}\nrevision: 1\ncreateTime: t\nupdateTime: t\n',
      );
    },
  );

  test('one that is not there is exit code 1', async () => {
    expect(await signalbox(['get', 'region', 'eu'])).toEqual({
      code: EXIT.failed,
      out: '',
      err: 'Title of not-found. (404 not-found)\nnothing at /v1/regions/eu\n',
    });
  });
});

test('export passes the bytes on', async () => {
  server.answers['GET /v1/export'] = (reply) =>
    reply.type('application/x-ndjson').send(Readable.from(['{"name":"regions/eu"}\n', '{"name":"regions/us"}\n']));
  const all = await signalbox(['export', '-s', 'a.b', '-l', 'tier=1,team=iam']);
  expect(all).toEqual({ code: EXIT.ok, out: '{"name":"regions/eu"}\n{"name":"regions/us"}\n', err: '' });
  expect(server.seen[0]?.url).toBe('/v1/export?service=a.b&labels=tier%3D1%2Cteam%3Diam');
});

const row = (service: string) => ({
  service,
  primaryRegion: 'us',
  regions: {
    eu: { deployed: false, deployable: true, imports: [] },
    us: { deployed: true, disabled: false, currentVersion: 'v1', covered: true, imports: [] },
  },
});

describe('coverage', () => {
  test('of several services and regions, in colours', async () => {
    server.answers['GET /v1/coverage'] = () => ({ services: [row('a.b'), row('c.d'), row('e.f')], revision: 5 });
    const { out } = await signalbox(['coverage', '-s', 'a.b,c.d', '-r', 'us'], { color: true });
    expect(out).toContain('a.b      \u001b[32m✓ v1*\u001b[39m\n');
    expect(out).not.toContain('e.f');
    expect(server.seen[0]?.url).toBe('/v1/coverage?region=us');
    expect(await signalbox(['coverage', '-s', 'a.b,x.y'])).toMatchObject({
      code: EXIT.failed,
      err: 'There is no service "x.y".\n',
    });
    expect(await signalbox(['coverage', '-r', 'us,xx'])).toMatchObject({
      code: EXIT.failed,
      err: 'There is no region "xx".\n',
    });
  });

  test('of what only runs', async () => {
    const liveWithoutDeployment = [
      { service: 'a.b', region: '-', instances: { total: 2, passing: 1 }, inCatalog: false },
    ];
    server.answers['GET /v1/coverage'] = () => ({ services: [], liveWithoutDeployment, revision: 5 });
    expect((await signalbox(['coverage', '-s', 'a.b', '-r', '-'])).out).toContain(
      'Running, and not deployed in the catalog:\n  ! a.b without a region: 1/2 (not in the catalog at all)\n',
    );
    expect((await signalbox(['coverage', '-s', 'x.y'])).err).toBe('There is no service "x.y".\n');
  });

  test('of an empty catalog', async () => {
    server.answers['GET /v1/coverage'] = () => ({ services: [], revision: 0 });
    expect((await signalbox(['coverage'])).out).toContain('There are no services yet.');
    expect(JSON.parse((await signalbox(['coverage', '--json'])).out)).toEqual({ services: [], revision: 0 });
  });
});

describe('status', () => {
  test('of a server that serves', async () => {
    server.answers['GET /readyz'] = () => ({ ready: true });
    server.answers['GET /v1/state'] = () => ({ epoch: 'e1', revision: 9, trimmed: 4, ready: true, resources: 3 });
    server.answers['GET /openapi.json'] = () => ({ info: { version: '9.9.9' } });
    server.answers['GET /v1/export'] = (reply) =>
      reply
        .type('application/x-ndjson')
        .send('{"name":"regions/eu"}\n{"name":"regions/us"}\n{"name":"services/a.b"}\n');
    for (const many of ['instances', 'overrides', 'advisories'])
      server.answers[`GET /v1/${many}`] = () => ({
        items: many === 'instances' ? [{}, {}, {}] : [],
        nextPageToken: '',
      });
    const { code, out } = await signalbox(['status']);
    expect(code).toBe(EXIT.ok);
    for (const line of [
      `server           ${server.url} ready`,
      /^version {10}9\.9\.9 \(this command: /m,
      'revision         9',
      'log              5 to 9',
      'regions          2',
      'services         1',
      'bundles          0',
      'instances        3',
      'overrides        0',
    ])
      expect(out).toMatch(line);
    expect(JSON.parse((await signalbox(['status', '--json'])).out)).toMatchObject({
      ready: true,
      epoch: 'e1',
      revision: 9,
      kinds: { region: 2, service: 1, bundle: 0, instance: 3 },
    });
  });

  test('of one that does not yet is exit code 1', async () => {
    server.answers['GET /readyz'] = (reply) => reply.code(503).send({ ready: false });
    expect(await signalbox(['status'])).toMatchObject({
      code: EXIT.failed,
      out: '',
      err: expect.stringContaining('Signalbox is not ready'),
    });
  });
});

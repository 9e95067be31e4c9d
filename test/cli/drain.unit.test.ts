import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { EXIT } from '../../src/cli/errors.ts';
import { AnsweringServer, problem } from './terminal.ts';

const server = new AnsweringServer();
const signalbox = server.signalbox.bind(server);

beforeAll(() => server.start());
afterAll(() => server.stop());
beforeEach(() => server.reset());

const ID = '3f1c0e9ab2d44c5e8f7a6b21';
const OTHER = '3f1cffffffffffffffffffff';
const instance = (id = ID, more: object = {}) => ({
  name: `instances/${id}`,
  service: 'orders.example.com',
  protocol: 'http',
  address: '10.0.4.17',
  port: 8080,
  ...more,
});
const listed = (...items: object[]) => ({ items, nextPageToken: '', revision: 4 });

describe('which instance', () => {
  beforeEach(() => {
    server.answers[`GET /v1/instances/${ID}`] = () => instance();
    server.answers[`PUT /v1/instances/${ID}/override`] = () => ({ mode: 'drain', affected: 1 });
  });
  const drain = (text: string) => signalbox(['drain', text, '--reason', 'kernel upgrade']);
  const filters = () =>
    server.seen.map(({ url }) => new URL(url, 'http://x').searchParams.get('filter')).filter(Boolean);

  test('by its id, nothing is searched', async () => {
    expect(await drain(ID)).toEqual({
      code: EXIT.ok,
      out: `${ID}, orders.example.com http://10.0.4.17:8080: drained (kernel upgrade).\n1 of 1 instance changes.\n\`signalbox undrain ${ID}\` lifts it.\n`,
      err: '',
    });
    expect(server.seen.at(-1)).toMatchObject({
      method: 'PUT',
      url: `/v1/instances/${ID}/override`,
      body: { mode: 'drain', reason: 'kernel upgrade' },
    });
    expect(filters()).toEqual([]);
  });

  test('by the beginning of its id: what only contains it is not meant', async () => {
    server.answers['GET /v1/instances'] = () => listed(instance(), instance(`000${ID.slice(3)}`));
    expect((await drain('3f1c')).code).toBe(EXIT.ok);
    expect(filters()).toEqual(['id : "3f1c"']);
  });

  test.each([
    ['10.0.4.17:8080', 'address = "10.0.4.17" and port = 8080'],
    ['http://10.0.4.17:8080', 'address = "10.0.4.17" and port = 8080'],
    ['[FD00:0::17]:8080', 'address = "fd00::17" and port = 8080'],
    ['node1.example.com:8080', 'address = "node1.example.com" and port = 8080'],
  ])('by its address and port: %s', async (text, filter) => {
    server.answers['GET /v1/instances'] = () => listed(instance());
    expect((await drain(text)).code).toBe(EXIT.ok);
    expect(filters()).toEqual([filter]);
  });

  test('several are an error that lists them, and nothing is changed', async () => {
    server.answers['GET /v1/instances'] = () => listed(instance(), instance(OTHER, { environment: 'prod\u001b' }));
    expect(await drain('3f1c')).toEqual({
      code: EXIT.failed,
      out: '',
      err: `2 instances are "3f1c".\nSay which, by its id:\n  ${ID}  orders.example.com http://10.0.4.17:8080\n  ${OTHER}  orders.example.com (prod\ufffd) http://10.0.4.17:8080\n`,
    });
    expect(server.seen.every(({ method }) => method === 'GET')).toBe(true);
  });

  test('none is an error, too', async () => {
    server.answers['GET /v1/instances'] = () => listed();
    expect(await drain('beef')).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('There is no instance "beef".'),
    });
  });

  test('`get instance` finds it the same way, and shows what its checks have found', async () => {
    server.answers['GET /v1/instances'] = () => listed(instance());
    server.answers[`GET /v1/instances/${ID}`] = () =>
      instance(ID, { report: { lastChecks: [{ reason: 'teapot\u009b2J' }], consecutiveFailures: 2 } });
    const { out } = await signalbox(['get', 'instance', '3f1c']);
    expect(out).toContain('report:\n  lastChecks:\n    - reason: ');
    expect(out).not.toContain('\u009b');
  });
});

describe('drain', () => {
  test('all instances of a service in a region', async () => {
    server.answers['GET /v1/services/orders.example.com/instances'] = () => listed(instance(), instance(OTHER), {});
    server.answers['PUT /v1/services/orders.example.com/regions/eu/override'] = () => ({ affected: 2 });
    const { out } = await signalbox([
      'drain',
      '-s',
      'orders.example.com',
      '-r',
      'eu',
      '--reason',
      'move',
      '--maintenance',
    ]);
    expect(out).toBe(
      'orders.example.com in eu: out of service (move).\n2 of 3 instances change.\n`signalbox undrain -s orders.example.com -r eu` lifts it.\n',
    );
    expect(server.seen.map(({ url }) => url)).toEqual([
      '/v1/services/orders.example.com/instances?region=eu',
      '/v1/services/orders.example.com/regions/eu/override',
    ]);
    expect(server.seen[1]?.body).toEqual({ mode: 'maintenance', reason: 'move' });
  });

  test('those without a region, as a dry run, with a weight only', async () => {
    server.answers['GET /v1/services/a.b/instances'] = () => listed(instance());
    server.answers['PUT /v1/services/a.b/regions/-/override'] = () => ({ affected: 1 });
    const { out } = await signalbox(['drain', '-s', 'a.b', '-r', '-', '--reason', 'x', '--weight', '0', '--dry-run']);
    expect(out).toBe('a.b without a region: would be in service with weight 0 (x).\n1 of 1 instance would change.\n');
    expect(server.seen[1]).toMatchObject({
      url: '/v1/services/a.b/regions/-/override?dryRun=true',
      body: { weight: 0, reason: 'x' },
    });
  });

  test('done twice it says that it was so', async () => {
    server.answers[`GET /v1/instances/${ID}`] = () => instance();
    server.answers[`PUT /v1/instances/${ID}/override`] = () => ({ affected: 0 });
    const { code, out } = await signalbox(['drain', ID, '--reason', 'x']);
    expect(code).toBe(EXIT.ok);
    expect(out).toContain('No instance changes: it was so already');
    const machine = await signalbox(['drain', ID, '--reason', 'x', '--json']);
    expect(JSON.parse(machine.out)).toEqual({ dryRun: false, affected: 0 });
  });
});

describe('undrain', () => {
  test('lifts the override of what is there', async () => {
    server.answers[`GET /v1/instances/${ID}`] = () => instance();
    server.answers[`DELETE /v1/instances/${ID}/override`] = () => ({ deleted: true, affected: 1 });
    expect((await signalbox(['undrain', ID])).out).toBe(
      `${ID}, orders.example.com http://10.0.4.17:8080: the override is lifted.\n1 of 1 instance changes.\n`,
    );
  });

  test('and of what is gone: an override outlives its instance', async () => {
    server.answers[`DELETE /v1/instances/${ID}/override`] = () => ({ deleted: true, affected: 0 });
    expect((await signalbox(['undrain', ID, '--dry-run'])).out).toBe(
      `${ID}, which is not there now: the override would be lifted.\nNo instance is there now.\n`,
    );
    expect(server.seen.at(-1)?.url).toContain('dryRun=true');
  });

  test('where there is none, that is as good', async () => {
    server.answers['GET /v1/services/a.b/instances'] = () => listed();
    server.answers['DELETE /v1/services/a.b/regions/eu/override'] = (reply) => problem(reply, 404, 'not-found', {});
    expect(await signalbox(['undrain', '-s', 'a.b', '-r', 'eu'])).toEqual({
      code: EXIT.ok,
      out: 'a.b in eu: there is no override to lift.\n',
      err: '',
    });
  });
});

describe('subscribers', () => {
  test('who watches what, how far behind, and who was cut off', async () => {
    const one = (more: object) => ({
      since: '2030-01-02T03:04:05.678Z',
      transport: 'sse',
      remoteAddress: '10.0.0.1',
      subscriptions: [{ topic: 'instance?passing=true', lag: 0 }],
      queuedBytes: 0,
      bytesSent: 4300,
      ...more,
    });
    server.answers['GET /v1/subscribers'] = (_reply, { pageToken }) => ({
      items:
        pageToken === undefined
          ? [one({})]
          : [
              one({
                transport: 'websocket',
                subscriptions: [
                  { topic: 'a', lag: 1 },
                  { topic: 'b', lag: 7 },
                ],
              }),
            ],
      nextPageToken: pageToken === undefined ? 'next' : '',
      cutOffs: [{ at: '2030-01-01T00:00:00.000Z', remoteAddress: '10.0.0.9', reason: 'too-slow', topics: ['*\u0007'] }],
    });
    const { out } = await signalbox(['subscribers']);
    expect(out).toBe(`SINCE                 TRANSPORT  ADDRESS   TOPICS                 LAG  QUEUED     SENT
2030-01-02 03:04:05Z  sse        10.0.0.1  instance?passing=true    0     0 B  4.2 KiB
2030-01-02 03:04:05Z  websocket  10.0.0.1  a b                      7     0 B  4.2 KiB

Cut off:
  2030-01-01 00:00:00Z  10.0.0.9  too-slow  *\ufffd
`);
    expect((await signalbox(['subscribers', '--json'])).out.trim().split('\n')).toHaveLength(2);
  });

  test('nobody', async () => {
    server.answers['GET /v1/subscribers'] = () => listed();
    expect((await signalbox(['subscribers'])).out).toContain('Nobody watches.');
  });
});

describe('nodes', () => {
  test('which nodes serve, and how they are', async () => {
    const node = { version: '0.2.0', startedAt: '2030-01-02T03:04:05.678Z', heardAt: '2030-01-02T04:00:00.000Z' };
    const answer = {
      term: 4,
      nodes: [
        {
          ...node,
          id: '2',
          name: 'b',
          live: true,
          member: true,
          self: true,
          ready: true,
          degraded: [{ mode: 'bus-away' }],
          revision: 1200,
          watchers: 3,
          instances: 9,
        },
        {
          ...node,
          id: '1',
          name: 'a',
          live: true,
          member: false,
          self: false,
          ready: false,
          draining: true,
          degraded: [],
        },
        { ...node, id: '3', name: 'c\u0007', live: false, member: false, self: false, ready: false },
      ],
    };
    server.answers['GET /v1/nodes'] = () => answer;
    const { out } = await signalbox(['nodes']);
    expect(out)
      .toBe(`NAME  STATE     DEGRADED  SHARE  REVISION  WATCHERS  INSTANCES  VERSION  STARTED               HEARD
a     draining            no                                    0.2.0    2030-01-02 03:04:05Z  2030-01-02 04:00:00Z
b *   ready     bus-away  yes       1,200         3          9  0.2.0    2030-01-02 03:04:05Z  2030-01-02 04:00:00Z
c\ufffd    gone                no                                    0.2.0    2030-01-02 03:04:05Z  2030-01-02 04:00:00Z
`);
    expect(JSON.parse((await signalbox(['nodes', '--json'])).out)).toEqual(answer);
  });
});

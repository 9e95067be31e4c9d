import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import WebSocket from 'ws';
import { WatchSession as Command, type WatchNotice } from '../../src/cli/watch-session.ts';
import type { Select } from '../../src/protocol/frames.ts';
import { readState } from '../acceptance/history.ts';
import { check, readLog } from '../acceptance/log-model.ts';
import { applyWorld, RandomWriter, SERVICES } from '../acceptance/random-writer.ts';
import { until } from '../acceptance/until.ts';
import { Follower, WatchClient, watchUrl } from '../acceptance/watch-client.ts';
import { Random } from '../support/random.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { previousPeer, RELEASE } from './previous.ts';
import { makeGround, startNodeOf, type Ground } from './side-by-side.ts';

const peer = await previousPeer();

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

const revisionOf = async (url: string): Promise<number> =>
  (await call(url, 'GET', '/v1/state')).body.revision as number;

describe(`a node of ${RELEASE.version} on a database that this version has migrated`, () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await makeGround();
    const node = await startNodeOf('new', ground.env);
    await applyWorld(node.url);
    await node.stop();
  }, 120_000);
  afterAll(() => ground.drop());

  test('REV2 PUSH5 starts with one warning, reads, writes, is watched, and starts again', async () => {
    let node = await startNodeOf('old', ground.env);
    expect(warningsOf(node)).toEqual([
      expect.stringContaining('migrations that this version of Signalbox does not know'),
    ]);
    const client = await WatchClient.open(node.url);
    const topic = await client.sync('all', { kind: '*' });
    const writer = new RandomWriter(node.url, 1);
    await writer.write(30);
    expect(writer.failed).toBe(0);
    const head = await revisionOf(node.url);
    expect(head).toBe(writer.acknowledged.at(-1));
    await client.reached(topic, head);
    const { model, epoch } = await readLog(node.url);
    check(model, { kind: '*' }, topic, client.frames);
    const state = await readState(node.url);
    expect(await node.stop()).toBe(0);

    node = await startNodeOf('old', ground.env);
    expect(await readState(node.url)).toEqual(state);
    const again = await WatchClient.open(node.url);
    const resumed = await again.sync('all', { kind: '*' }, { epoch, revision: head - 5 });
    expect(again.of(resumed).filter(({ type }) => type === 'reset' || type === 'snapshot')).toEqual([]);
    expect(await node.stop()).toBe(0);
  }, 60_000);
});

/** Messages of the log that are warnings or worse. */
const warningsOf = (node: Signalbox): string[] =>
  node
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: number | string; msg: string })
    .filter(({ level }) => (typeof level === 'number' ? level >= 40 : !/^(?:trace|debug|info)$/.test(level)))
    .map(({ msg }) => msg)
    // The test run's own variables.
    .filter((msg) => !msg.includes('is not a setting'));

describe(`a node of ${RELEASE.version} and one of this version, on one database and one Redis`, () => {
  let ground: Ground;
  let old: Signalbox;
  let young: Signalbox;
  let both: readonly [Signalbox, Signalbox];
  beforeAll(async () => {
    ground = await makeGround();
    // What is not announced so that the other understands it would be seen after a minute.
    const env = { ...ground.env, TAIL_INTERVAL: '1m', WATCH_HEARTBEAT: '1s' };
    old = await startNodeOf('old', env);
    young = await startNodeOf('new', { ...env, HEALTH_CHECKS: 'off' });
    both = [old, young];
    await applyWorld(old.url);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(both.map((node) => node.stop()));
    await ground.drop();
  });

  const SELECTORS: readonly Select[] = [
    { kind: '*' },
    { kind: 'service', labels: { tier: 'gold' } },
    { kind: '*', services: [SERVICES[0] as string, SERVICES[2] as string] },
  ];

  test('REV1 PUSH1 PUSH2 PUSH3 PUSH4 PUSH5 PUSH6 PUSH8 both write, and watchers of both, and such as go from one to the other, are told everything', async () => {
    const random = new Random(5);
    const staying = both.flatMap(({ url }) => SELECTORS.map((select) => new Follower(url, select)));
    const moving = SELECTORS.map((select, i) => {
      let turn = i;
      return new Follower(() => (both[(turn += 1) % 2] as Signalbox).url, select);
    });
    const followers = [...staying, ...moving];
    leftovers.push(() => followers.forEach((one) => one.stop()));
    await Promise.all(followers.map((one) => one.reached(1)));
    let writing = true;
    const moves = (async () => {
      while (writing) {
        random.pick(moving).cut();
        await new Promise((done) => setTimeout(done, 40 + random.below(100)));
      }
    })();
    const writers = [1, 2, 3, 4].map((seed) => new RandomWriter((both[seed % 2] as Signalbox).url, seed));
    const movedEnough = (): boolean => moving.every(({ connections }) => connections > 6);
    await Promise.all(
      writers.map(async (writer) => {
        for (let n = 0; n < 40 || !movedEnough(); n++) await writer.step();
      }),
    );
    writing = false;
    await moves;

    expect(writers.map(({ failed }) => failed)).toEqual([0, 0, 0, 0]);
    const head = Math.max(...writers.flatMap(({ acknowledged }) => acknowledged));
    for (const { url } of both) await until('the node is at the head', async () => (await revisionOf(url)) === head);
    const logs = await Promise.all(both.map(({ url }) => readLog(url)));
    expect(logs.map((log) => log.head)).toEqual([head, head]);
    expect(logs[0]?.model.log).toEqual(logs[1]?.model.log);
    expect(await readState(old.url)).toEqual(await readState(young.url));
    for (const one of followers) {
      await one.reached(head);
      check((logs[0] as (typeof logs)[0]).model, one.select, one.topic ?? '', one.frames);
      expect(one.resets).toBe(0);
    }
  }, 60_000);

  test('PUSH11 what one of them announces, the other knows at once', async () => {
    for (const [here, there] of [both, both.toReversed()] as [Signalbox, Signalbox][]) {
      const client = await WatchClient.open(there.url);
      leftovers.push(() => client.ws.terminate());
      await client.sync('regions', { kind: 'region' });
      const took: number[] = [];
      for (let i = 0; i < 10; i++) {
        const { status, headers } = await call(here.url, 'PUT', '/v1/regions/us-east', { title: `${here.port}-${i}` });
        const at = performance.now();
        expect(status).toBe(200);
        const revision = Number(headers.get('x-signalbox-revision'));
        await client.next('change', (frame) => frame.revision >= revision);
        took.push(performance.now() - at);
      }
      // A look at the log every minute would take half a minute.
      expect(Math.max(...took)).toBeLessThan(5000);
    }
  }, 60_000);

  test('REV1 REV3 COV1 REF1 preconditions, refusals and what changes nothing are answered alike', async () => {
    const stale = { 'if-match': '"1"' };
    const requests: [string, string, unknown?, Record<string, string>?][] = [
      ['PUT', '/v1/regions/us-east', { title: 'New' }, stale],
      ['PATCH', `/v1/services/${SERVICES[0]}`, { displayName: 'New' }, stale],
      ['DELETE', `/v1/services/${SERVICES[0]}`, undefined, stale],
      ['DELETE', '/v1/regions/us-east'],
      ['DELETE', `/v1/services/${SERVICES[0]}/versions/v1`],
      ['DELETE', `/v1/services/${SERVICES[0]}/deployments/us-east`],
      [
        'PUT',
        `/v1/services/${SERVICES[0]}/versions/v2`,
        { imports: [{ service: 'nobody.example.com', version: 'v1' }] },
      ],
      ['PUT', '/v1/regions/us-east', { nothing: 'of the kind' }],
      ['PUT', '/v1/projects/core', { title: 'Core' }],
      ['GET', '/v1/regions/nowhere'],
    ];
    const head = await revisionOf(old.url);
    for (const [method, path, body, headers] of requests) {
      const [a, b] = await Promise.all(both.map(({ url }) => call(url, method, path, body, headers)));
      const said = [a, b].map((answer) => ({
        path,
        status: answer?.status,
        etag: answer?.headers.get('etag'),
        type: answer?.body.type as unknown,
        rules: (answer?.body.violations as { rule: string; resource: string }[] | undefined)?.map(
          ({ rule, resource }) => `${rule} ${resource}`,
        ),
      }));
      expect(said[1]).toEqual(said[0]);
    }
    for (const { url } of both) expect(await revisionOf(url)).toBe(head);

    // What is current at one is current at the other, and of two who write on it one comes first.
    for (const [first, second] of [both, both.toReversed()] as [Signalbox, Signalbox][]) {
      const etag = (await call(first.url, 'GET', '/v1/regions/us-west')).headers.get('etag') ?? '';
      const put = (node: Signalbox): ReturnType<typeof call> =>
        call(node.url, 'PUT', '/v1/regions/us-west', { title: `${node.port}-${etag}` }, { 'if-match': etag });
      const answers = await Promise.all([put(first), put(second)]);
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
      const current = answers.find(({ status }) => status === 200)?.headers.get('etag');
      await until('both have it', async () => {
        const etags = await Promise.all(
          both.map(async ({ url }) => (await call(url, 'GET', '/v1/regions/us-west')).headers.get('etag')),
        );
        return etags.every((one) => one === current);
      });
    }
  }, 60_000);

  test('PUSH5 PUSH8 the command of each release watches the other, and its copy agrees', async () => {
    for (const [Client, there] of [
      [peer.WatchClient, young],
      [Command, old],
    ] as const) {
      const notices: WatchNotice[] = [];
      const client = new Client({
        url: there.url,
        select: { kind: '*' },
        onNotice: (notice) => void notices.push(notice),
      });
      let failure: unknown;
      void client.run().catch((error: unknown) => (failure = error));
      leftovers.push(() => client.stop());
      await until('it is loaded', () => notices.some(({ type }) => type === 'loaded'));
      const writers = both.map(({ url }, i) => new RandomWriter(url, 20 + i));
      await Promise.all(writers.map((writer) => writer.write(20)));
      const last = Math.max(...writers.flatMap(({ acknowledged }) => acknowledged));
      await until('it has the last change', () =>
        notices.some((notice) => notice.type === 'changed' && notice.deltas.some(({ revision }) => revision === last)),
      );
      // A bookmark with a digest comes at every heartbeat.
      await new Promise((done) => setTimeout(done, 1500));
      expect(failure).toBeUndefined();
      expect(notices.filter(({ type }) => type !== 'loaded' && type !== 'changed')).toEqual([]);
      await client.stop();
    }
  }, 60_000);

  test('a client that speaks a later protocol as well gets the one that both have; who speaks that alone is told', async () => {
    for (const { url } of both) {
      const ws = new WebSocket(watchUrl(url), ['signalbox.v99', RELEASE.protocol.name]);
      leftovers.push(() => ws.terminate());
      const first = await new Promise<string>((resolve, reject) => {
        ws.on('message', (data: Buffer) => resolve(data.toString()));
        ws.on('error', reject);
      });
      expect(ws.protocol).toBe(RELEASE.protocol.name);
      expect(JSON.parse(first)).toMatchObject({ type: 'welcome', protocol: RELEASE.protocol.number });

      const other = new WebSocket(watchUrl(url), 'signalbox.v99');
      const status = await new Promise((resolve) => {
        other.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode));
        other.on('error', resolve);
      });
      expect(status).toBe(400);
    }
  });
});

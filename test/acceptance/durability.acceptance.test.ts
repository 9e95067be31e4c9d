import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startPostgres } from '../support/postgres.ts';
import { Random } from '../support/random.ts';
import { call, type Answer, type Signalbox } from '../support/signalbox.ts';
import { readLog, readState, replay, stateOf, type Revision } from './history.ts';
import { embeddedHome, HOMES, type Home } from './homes.ts';
import { Caller, NoAnswer, revisionOf } from './http-client.ts';
import { startNode } from './nodes.ts';
import { WORLD } from './random-writer.ts';

/** A write that can be recognised in the log: nobody else writes its token. */
interface Write {
  readonly name: string;
  readonly token: string;
  readonly document: object;
}

const CALLERS = 64;
const SHARED = 5;
const ROUNDS = 3;

/** A thousand writes, dealt to the callers: resources of their own that are made and changed, and some that all change. */
function deal(round: number, random: Random): Write[][] {
  const hands: Write[][] = Array.from({ length: CALLERS }, () => []);
  for (let n = 0; n < 1000; n++) {
    const caller = n % CALLERS;
    const token = `${round}-${n}`;
    const dice = random.below(10);
    const id = dice < 6 ? `made-${token}` : dice < 9 ? `own-${caller}` : `shared-${random.below(SHARED)}`;
    const document = { title: `Region ${id}`, labels: { token } };
    hands[caller]?.push({ name: `regions/${id}`, token, document });
  }
  return hands;
}

/** What became of the writes, as the callers saw it. */
class Ledger {
  /** The revision with which a token was acknowledged. */
  readonly acknowledged = new Map<string, number>();
  /** Sent, and no answer came. */
  readonly unanswered = new Map<string, Write>();

  /** Sends a hand in order until it is done or the server is gone; answers what is left of it. */
  async play(url: string, hand: readonly Write[], onAnswer: () => void): Promise<Write[]> {
    const caller = new Caller(url);
    try {
      for (const [i, write] of hand.entries()) {
        try {
          const reply = await caller.send('PUT', `/v1/${write.name}`, write.document);
          if (reply.status !== 200 && reply.status !== 201) throw new Error(`${reply.status} ${reply.text}`);
          this.acknowledged.set(write.token, revisionOf(reply));
          this.unanswered.delete(write.token);
          onAnswer();
        } catch (error) {
          if (!(error instanceof NoAnswer)) throw error;
          this.unanswered.set(write.token, write);
          return hand.slice(i);
        }
      }
      return [];
    } finally {
      caller.close();
    }
  }
}

/** In which revisions each token stands. */
function tokensIn(log: readonly Revision[]): Map<string, { revision: number; name: string }[]> {
  const found = new Map<string, { revision: number; name: string }[]>();
  for (const { revision, changes } of log) {
    for (const { key, value } of changes) {
      const token = (value as { labels?: Record<string, string> } | undefined)?.labels?.['token'];
      if (token === undefined) continue;
      found.set(token, [...(found.get(token) ?? []), { revision, name: key }]);
    }
  }
  return found;
}

/** REV1 and REV2, from the outside. */
async function audit(url: string, ledger: Ledger, sent: ReadonlyMap<string, Write>): Promise<void> {
  const log = await readLog(url);
  const found = tokensIn(log);
  const wrong: string[] = [];
  for (const [token, revision] of ledger.acknowledged) {
    const places = found.get(token) ?? [];
    const [place] = places;
    const name = sent.get(token)?.name;
    if (places.length !== 1 || place?.revision !== revision || place.name !== name) {
      wrong.push(`${token} of ${name}, acknowledged as ${revision}, is ${JSON.stringify(places)}`);
    }
  }
  for (const [token, places] of found) {
    if (ledger.acknowledged.has(token)) continue;
    if (!ledger.unanswered.has(token) || places.length !== 1) wrong.push(`${token} is ${JSON.stringify(places)}`);
  }
  expect(wrong).toEqual([]);
  expect(log.every(({ changes }) => changes.length === 1)).toBe(true);
  const state = await call(url, 'GET', '/v1/state');
  expect(state.body).toMatchObject({ revision: log.length, trimmed: 0 });
  expect(stateOf(replay(log))).toEqual(await readState(url));
}

interface Database {
  readonly home: Pick<Home, 'env' | 'drop'>;
  /** Ends the database's own processes and starts them again, where it has any. */
  readonly crash: () => Promise<void>;
}

const KILLABLE: readonly { readonly database: string; readonly open: () => Promise<Database> }[] = [
  {
    database: 'the embedded database',
    open: async () => ({ home: await embeddedHome(), crash: () => Promise.resolve() }),
  },
  {
    database: 'PostgreSQL, which is killed too',
    open: async () => {
      const server = await startPostgres();
      const home = { env: { DATABASE_URL: server.url }, drop: () => server.destroy() };
      return {
        home,
        crash: async () => {
          await server.kill();
          await server.start();
        },
      };
    },
  },
];

describe.each(KILLABLE)('kill -9 in the middle of 1,000 concurrent writes, on $database', ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  }, 180_000);
  afterAll(() => database.home.drop());

  test('REV1 REV2 every acknowledged write is there with its revision, none twice, in a gapless log that makes the state', async () => {
    const random = new Random(20_261);
    const ledger = new Ledger();
    const sent = new Map<string, Write>();
    let node = await startNode(database.home.env);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const hands = deal(round, random);
        for (const write of hands.flat()) sent.set(write.token, write);
        const killAfter = 50 + random.below(850);
        let answered = 0;
        let killed: Promise<unknown> | undefined;
        const onAnswer = (): void => {
          answered += 1;
          if (answered === killAfter) killed = node.stop('SIGKILL');
        };
        const left = await Promise.all(hands.map((hand) => ledger.play(node.url, hand, onAnswer)));
        await killed;
        expect(answered).toBeLessThan(1000);
        expect(ledger.unanswered.size).toBeGreaterThan(0);
        if (round > 0) await database.crash();

        // At once: what the killed process leaves behind may not have to time out.
        node = await startNode(database.home.env);
        await audit(node.url, ledger, sent);

        // Sending what was not answered again is safe. On a resource that others change it would be another write.
        const again = left.map((hand) =>
          hand.filter(({ name, token }) => !(name.includes('shared') && ledger.unanswered.has(token))),
        );
        await Promise.all(again.map((hand) => ledger.play(node.url, hand, () => {})));
        expect([...ledger.unanswered.values()].filter(({ name }) => !name.includes('shared'))).toEqual([]);
        await audit(node.url, ledger, sent);
      }
      expect(ledger.acknowledged.size + ledger.unanswered.size).toBe(1000 * ROUNDS);
    } finally {
      await node.stop('SIGKILL');
    }
  }, 240_000);
});

describe.each(HOMES)('what a write is, on $database', ({ makeHome }) => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await makeHome();
    node = await startNode(home.env);
    await must('POST', '/v1/apply', WORLD);
  }, 180_000);
  afterAll(async () => {
    await node.stop();
    await home.drop();
  });

  const send = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> =>
    call(node.url, method, path, body, headers);
  async function must(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }
  const head = async (): Promise<number> => (await must('GET', '/v1/state')).body.revision as number;

  test('REV3 a PUT, PATCH, DELETE or apply that changes nothing makes no revision, however often and from however many', async () => {
    const region = { title: 'Ireland', labels: { tier: 'gold' }, location: { country: 'Ireland' } };
    const made = await must('PUT', '/v1/regions/still', region);
    const before = await head();
    expect(made.headers.get('etag')).toBe(`"${before}"`);
    const repeats = Array.from({ length: 50 }, async (_, i) => {
      switch (i % 4) {
        case 0:
          return must('PUT', '/v1/regions/still', region);
        case 1:
          // What the server assigns may be sent back, in any order and with defaults spelled out.
          return must('PUT', '/v1/regions/still', Object.fromEntries(Object.entries(made.body as object).reverse()));
        case 2:
          return must('PATCH', '/v1/regions/still', { title: 'Ireland', labels: { tier: 'gold', none: null } });
        default:
          return must('POST', '/v1/apply', [{ name: 'regions/still', ...region }, ...WORLD]);
      }
    });
    for (const [i, answer] of (await Promise.all(repeats)).entries()) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-signalbox-revision')).toBe(String(before));
      if (i % 4 === 3)
        expect(answer.body.summary).toEqual({ created: 0, updated: 0, unchanged: WORLD.length + 1, deleted: 0 });
      else expect(answer.body).toEqual(made.body);
    }
    expect((await send('DELETE', '/v1/regions/never-there')).status).toBe(404);
    expect(await head()).toBe(before);
    expect((await send('GET', `/v1/changes?since=${before}`)).body).toMatchObject({ to: before, changes: [] });
  });

  test('REV3 what is exported and applied again changes nothing and makes no revision', async () => {
    const before = await head();
    for (const type of ['application/x-ndjson', 'application/yaml', 'application/json']) {
      const exported = await fetch(`${node.url}/v1/export`, { headers: { accept: type } });
      const response = await fetch(`${node.url}/v1/apply`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: await exported.text(),
      });
      const applied = (await response.json()) as { revision: number; summary: object };
      expect(applied).toMatchObject({ revision: before, summary: { created: 0, updated: 0, deleted: 0 } });
    }
    expect(await head()).toBe(before);
  });

  const iam = 'services/iam.example.com';
  const maps = 'services/maps.example.com';
  const commands: readonly [what: string, method: string, path: string, body?: unknown][] = [
    ['a creation', 'PUT', '/v1/regions/new-one', { title: 'New' }],
    ['a change', 'PUT', '/v1/regions/new-one', { title: 'Newer', labels: { a: 'b' } }],
    ['no change', 'PUT', '/v1/regions/new-one', { title: 'Newer', labels: { a: 'b' } }],
    ['a patch', 'PATCH', '/v1/regions/new-one', { labels: { a: null, c: 'd' } }],
    ['an invalid document', 'PUT', '/v1/regions/new-one', { title: 7 }],
    ['a patch of nothing', 'PATCH', '/v1/regions/nowhere', { title: 'x' }],
    [
      'a service, whose apiId is assigned',
      'PUT',
      '/v1/services/new.example.com',
      {
        displayName: 'new',
        project: 'core',
        creator: 'projects/core/service-accounts/deployer',
        globalEndpoint: 'new.example.com',
        primaryRegion: 'us-east',
      },
    ],
    [
      'a version that imports',
      'PUT',
      `/v1/${maps}/versions/v1`,
      { imports: [{ service: 'iam.example.com', version: 'v1' }] },
    ],
    [
      'a deployment with a warning',
      'PUT',
      `/v1/${iam}/deployments/us-west`,
      { regionalEndpoint: 'elsewhere.test', currentVersion: 'v1' },
    ],
    [
      'a deployment where an import is missing',
      'PUT',
      `/v1/${maps}/deployments/eu-west`,
      { regionalEndpoint: 'eu-west.maps.example.com', currentVersion: 'v1' },
    ],
    ['what an importer needs', 'DELETE', `/v1/${iam}/deployments/us-east`],
    [
      'a bundle, which changes what others use',
      'PUT',
      '/v1/bundles/core',
      { members: ['iam.example.com'], rules: { usedByEveryone: true } },
    ],
    [
      'an apply',
      'POST',
      '/v1/apply',
      [
        { name: 'regions/new-two', title: 'Two', labels: { set: 'x' } },
        { name: 'regions/new-one', title: 'One', labels: { set: 'x' } },
        { name: 'projects/core', title: 'Core' },
      ],
    ],
    [
      'an apply that prunes',
      'POST',
      '/v1/apply?prune=set=x',
      [{ name: 'regions/new-one', title: 'One', labels: { set: 'x' } }],
    ],
    [
      'an apply that is refused',
      'POST',
      '/v1/apply',
      [
        { name: `${maps}/deployments/eu-west`, regionalEndpoint: 'eu-west.maps.example.com', currentVersion: 'v1' },
        { name: 'regions/other', title: 'Other' },
      ],
    ],
    ['a deletion', 'DELETE', '/v1/regions/new-one'],
    ['a deletion of what is gone', 'DELETE', '/v1/regions/new-one'],
  ];

  test('COV5 the dry run of every command answers what the write then answers, and changes nothing', async () => {
    const seen = new Set<string>();
    for (const [what, method, path, body] of commands) {
      const before = await readState(node.url);
      const revision = await head();
      const dry = await send(method, `${path}${path.includes('?') ? '&' : '?'}dryRun=true`, body);
      expect({ what, state: await readState(node.url), revision: await head() }).toEqual({
        what,
        state: before,
        revision,
      });
      const wet = await send(method, path, body);
      expect({ what, status: dry.status, body: timeless(dry.body) }).toEqual({
        what,
        status: wet.status,
        body: timeless(wet.body),
      });
      for (const header of ['etag', 'location', 'content-type']) {
        expect({ what, [header]: dry.headers.get(header) }).toEqual({ what, [header]: wet.headers.get(header) });
      }
      expect(dry.headers.get('x-signalbox-dry-run')).toBe(wet.status < 300 ? 'true' : null);
      if (wet.status >= 300) expect(await head()).toBe(revision);
      seen.add(`${method} ${wet.status}`);
    }
    // The table has something of everything.
    expect([...seen].sort()).toEqual([
      'DELETE 200',
      'DELETE 404',
      'DELETE 409',
      'PATCH 200',
      'PATCH 404',
      'POST 200',
      'POST 409',
      'PUT 200',
      'PUT 201',
      'PUT 400',
      'PUT 409',
    ]);
  });
});

/** Without what two requests cannot have in common: their times, their ids, and that one of them is the dry run. */
function timeless(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (key, value: unknown) =>
      ['createTime', 'updateTime', 'requestId', 'dryRun'].includes(key) ? undefined : value,
    ),
  );
}

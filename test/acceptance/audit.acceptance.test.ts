import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { IssuerServer } from '../auth/issuer-server.ts';
import { ACCOUNT, MANIFEST } from '../edge/harness.ts';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { call, startSignalbox, type Signalbox } from '../support/signalbox.ts';
import { embeddedHome, type EmbeddedHome } from './homes.ts';
import { until } from './until.ts';

interface Entry {
  readonly at: string;
  readonly subject: string;
  readonly target?: string;
  readonly service?: string;
  readonly before?: number;
  readonly after?: number;
  readonly result: string;
  readonly detail?: string;
}

let home: EmbeddedHome;
const COOKIE = 'session=c00kie-s3cret';
let issuer: IssuerServer;
let node: Signalbox;
let output = '';
const tokens: Record<string, string> = {};

const start = (): Promise<Signalbox> => {
  const owners = { 'team-iam': ['iam'], 'team-shop': ['shop'] };
  const OIDC_ISSUERS = JSON.stringify([issuer.settings({ admins: ['platform'], readers: ['staff'], owners })]);
  return startSignalbox({ env: { ...home.env, LOG_LEVEL: 'trace', OIDC_ISSUERS }, readyWithin: 60_000 });
};

beforeAll(async () => {
  home = await embeddedHome();
  issuer = await IssuerServer.open();
  tokens['root'] = await issuer.mint({ groups: ['platform'], sub: 'root' });
  tokens['otto'] = await issuer.mint({ groups: ['team-iam'], sub: 'otto' });
  tokens['petra'] = await issuer.mint({ groups: ['team-shop'], sub: 'petra' });
  tokens['expired'] = await issuer.mint({ groups: ['platform'], sub: 'eve' }, { expiresIn: -100 });
  node = await start();
}, 180_000);
afterAll(async () => {
  await node.stop();
  await issuer.close();
  await home.drop();
});

const as = (who: string | undefined, method: string, path: string, body?: unknown, more: Record<string, string> = {}) =>
  call(node.url, method, path, body, {
    cookie: COOKIE,
    ...(who !== undefined && { authorization: `Bearer ${tokens[who] ?? who}` }),
    ...more,
  });

async function entries(who: string, query = ''): Promise<Entry[]> {
  const { status, body } = await as(who, 'GET', `/v1/audit?pageSize=1000${query}`);
  expect(status).toBe(200);
  return (body as { items: Entry[] }).items;
}

/** Two entries from 100 and 80 days ago, of which the first is older than AUDIT_RETENTION. */
async function tellOld(): Promise<void> {
  const store = await openEmbedded({ dir: home.path });
  const old = { category: 'operation', subject: 'old', action: 'x', result: 'ok' } as const;
  const daysAgo = (days: number): number => Date.now() - days * 24 * 3_600_000;
  await store.appendAudit([100, 80].map((days) => ({ ...old, at: daysAgo(days) })));
  expect(await store.readAudit({ subject: 'old' }, { limit: 9 })).toHaveLength(2);
  await store.close();
}

test('SEC5 a real node: writes, refusals, and what two owners see of them', async () => {
  const shop = MANIFEST.map((document) =>
    document.name === 'services/shop.test' ? { ...document, apiId: 'shop' } : document,
  );
  expect((await as('root', 'POST', '/v1/apply', shop)).status).toBe(200);
  const us = '/v1/services/iam.test/deployments/us';
  expect((await as('otto', 'PATCH', us, { labels: { a: 'b' } })).status).toBe(200);
  expect((await as('petra', 'PATCH', us, { labels: { a: 'c' } })).status).toBe(403);
  expect((await as('otto', 'DELETE', us)).status).toBe(409);
  expect((await as('petra', 'PUT', '/v1/services/shop.test/versions/v2', {})).status).toBe(201);
  expect((await as('expired', 'DELETE', us)).status).toBe(401);
  expect((await as(undefined, 'GET', '/v1/regions')).status).toBe(401);
  expect((await as('root', 'GET', `/v1/regions?access_token=${tokens['root']}`)).status).toBe(400);
  expect((await as('root', 'GET', `/v1/regions?my%74oken=${tokens['root']}`)).status).toBe(400);
  const odd = { 'proxy-authorization': `Basic ${tokens['root']}` };
  expect((await as('root', 'PUT', '/v1/regions/us', { token: tokens['root'] }, odd)).status).toBe(400);
  for (let i = 0; i < 30; i++) expect((await as('petra', 'PUT', `/v1/regions/r${i}`, {})).status).toBe(403);

  await until('refusals are written', async () => (await entries('root', '&category=refusal')).length >= 13);
  const brief = ({ subject, target, result }: Entry) => [subject, target, result];
  const mine = await entries('otto');
  expect(mine.filter(({ subject }) => subject !== 'root').map(brief)).toEqual([
    ['anonymous', 'services/iam.test/deployments/us', 'invalid-token'],
    ['otto', 'services/iam.test/deployments/us', 'conflict'],
    ['petra', 'services/iam.test/deployments/us', 'forbidden'],
    ['otto', 'services/iam.test/deployments/us', 'updated'],
  ]);
  expect(mine.at(-1)).toMatchObject({ subject: 'root', result: 'created', after: 1 });
  expect(mine.find(({ result }) => result === 'updated')).toMatchObject({ before: 1, after: 2 });
  const theirs = await entries('petra');
  expect(theirs.filter(({ subject }) => subject === 'petra').map(brief)).toEqual([
    ['petra', 'services/shop.test/versions/v2', 'created'],
  ]);
  expect([...new Set(theirs.map(({ service }) => service))]).toEqual(['shop.test']);
  const all = await entries('root');
  expect(all.filter(({ target }) => target === ACCOUNT).map(brief)).toEqual([['root', ACCOUNT, 'created']]);
  // Of 31 that are alike, ten; the rest are one more when the node stops.
  expect(all.filter(({ subject, result }) => subject === 'petra' && result === 'forbidden')).toHaveLength(10);
  const metrics = await (
    await fetch(`${node.url}/metrics`, { headers: { authorization: `Bearer ${tokens['root']}` } })
  ).text();
  expect(metrics).toMatch(/signalbox_audit_entries_total\{category="change"\} 14\b/);
  expect(metrics).toMatch(/signalbox_audit_dropped_total 0\b/);
}, 60_000);

test('SEC5 a node that is stopped writes what waits; one that is killed has told of every change that it acknowledged', async () => {
  output += node.output();
  expect(await node.stop()).toBe(0);
  await tellOld();
  node = await start();
  await until('retention', async () => (await entries('root', '&subject=old')).length === 1);
  const told = await entries('root', '&subject=petra&category=refusal');
  expect(told.map(({ detail }) => detail)).toContain('and 21 more like this in the last minute');
  const made: string[] = [];
  let killed: Promise<unknown> | undefined;
  await Promise.all(
    Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; n < 500; n++) {
        const name = `regions/k${writer}-${n}`;
        const answered = await as('root', 'PUT', `/v1/${name}`, { title: 'x' }).catch(() => undefined);
        if (answered?.status !== 201) return;
        made.push(name);
        if (made.length === 200) killed = node.stop('SIGKILL');
      }
    }),
  );
  await killed;
  output += node.output();
  node = await start();
  const lines = await fetch(`${node.url}/v1/audit?category=change`, {
    headers: { authorization: `Bearer ${tokens['root']}`, accept: 'application/x-ndjson' },
  });
  const changes = (await lines.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);
  const targets = new Set(changes.map(({ target }) => target));
  expect(made.filter((name) => !targets.has(name))).toEqual([]);
  // And of none that is not there: every revision has its entries, none has another's.
  const { body } = await as('root', 'GET', '/v1/state');
  const revisions = new Set(changes.map(({ after }) => after));
  expect([...revisions].toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual(
    Array.from({ length: (body as { revision: number }).revision }, (_, i) => i + 1),
  );
}, 120_000);

test('SEC5 no secret is in the audit, nor in what the node has logged at trace', async () => {
  output += node.output();
  const lines = await fetch(`${node.url}/v1/audit`, {
    headers: { authorization: `Bearer ${tokens['root']}`, accept: 'application/x-ndjson' },
  });
  const told = await lines.text();
  expect(output).toContain('access_token=[redacted]');
  expect(output).toContain('my%74oken=[redacted]');
  expect(told).toContain('invalid-token');
  for (const text of [output, told]) {
    expect(text.length).toBeGreaterThan(10_000);
    // The beginning of a JWT: {"alg":
    expect(text).not.toMatch(/eyJhbGci|c00kie-s3cret/);
    for (const token of Object.values(tokens)) expect(text).not.toContain(token.split('.')[2]);
  }
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Tokens } from '../../src/auth/tokens.ts';
import type { AuditEntry } from '../../src/domain/audit.ts';
import { encodePageToken } from '../../src/domain/page-token.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from '../acceptance/until.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { LiveNode } from '../feed/live-node.ts';
import { ACCOUNT, MANIFEST } from './harness.ts';

let issuer: IssuerServer;
let node: LiveNode;
const bearers: Record<string, string> = {};

beforeAll(async () => {
  issuer = await IssuerServer.open();
  const settings = {
    admins: ['platform'],
    readers: ['staff'],
    owners: { 'team-iam': ['iam'], 'team-shop': ['shop.test'] },
  };
  const log = { warn: () => {}, info: () => {} };
  const tokens = new Tokens([issuer.issuer(settings)], { log, now: () => performance.now(), clock: Date.now });
  node = await LiveNode.open({ access: { development: false, tokens } });
  bearers['root'] = await issuer.mint({ groups: ['platform'], sub: 'root' });
  bearers['rita'] = await issuer.mint({ groups: ['staff'], sub: 'rita' });
  bearers['otto'] = await issuer.mint({ groups: ['team-iam'], sub: 'otto' });
  bearers['petra'] = await issuer.mint({ scope: 'shop.test/admin', sub: 'petra' });
  bearers['deployer'] = await issuer.mint({ client_id: 'deployer', sub: 'deployer@clients' });
  expect((await send('root', 'POST', '/v1/apply', [...MANIFEST])).status).toBe(200);
});
afterAll(async () => {
  await node.close();
  await issuer.close();
});

async function send(who: string | undefined, method: string, path: string, body?: unknown, more: object = {}) {
  return fetch(node.url + path, {
    method,
    headers: {
      ...(who !== undefined && { authorization: `Bearer ${bearers[who] ?? who}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...more,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

type Shown = Omit<AuditEntry, 'at'> & { readonly at: string };

async function entries(who: string, query = ''): Promise<Shown[]> {
  await node.audit.flush();
  const response = await send(who, 'GET', `/v1/audit?pageSize=1000${query}`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { items: Shown[] }).items;
}

/** What is added to the audit meanwhile, in the order of being added. */
async function told(work: () => Promise<unknown>): Promise<Shown[]> {
  const before = await entries('root');
  await work();
  return (await entries('root')).slice(0, -before.length || undefined).toReversed();
}

const status = async (work: Promise<Response>, expected: number): Promise<void> =>
  expect((await work).status).toBe(expected);

describe('SEC5 what is told', () => {
  test('SEC5 a change: who, what, the revisions, from where, in which request', async () => {
    const path = '/v1/services/iam.test/versions/v7';
    const found = await told(async () => {
      await status(send('deployer', 'PUT', path, {}, { 'x-request-id': 'req-1' }), 201);
      await status(send('otto', 'PATCH', path, { labels: { a: 'b' } }), 200);
      await status(send('otto', 'PATCH', path, { labels: { a: 'b' } }), 200);
      await status(send('root', 'DELETE', `${path}?dryRun=true`), 200);
      await status(send('root', 'DELETE', path), 200);
    });
    const head = node.tail.head.revision;
    const about = { category: 'change', target: 'services/iam.test/versions/v7', service: 'iam.test' };
    const at = expect.stringMatching(/^20.*Z$/);
    const address = expect.stringContaining('127.0.0.1');
    const requestId = expect.stringMatching(/./);
    expect(found).toEqual([
      {
        ...about,
        at,
        address,
        subject: 'deployer@clients',
        account: ACCOUNT,
        project: 'core',
        action: 'catalog.write',
        after: head - 2,
        result: 'created',
        requestId: 'req-1',
      },
      {
        ...about,
        at,
        address,
        requestId,
        subject: 'otto',
        action: 'catalog.write',
        before: head - 2,
        after: head - 1,
        result: 'updated',
      },
      {
        ...about,
        at,
        address,
        requestId,
        subject: 'root',
        action: 'catalog.delete',
        before: head - 1,
        after: head,
        result: 'deleted',
      },
    ]);
  });

  test('SEC5 refusals: who may not, on whatever; what breaks a rule, where it would have changed something', async () => {
    const us = '/v1/services/iam.test/deployments/us';
    const found = await told(async () => {
      await status(send(undefined, 'GET', '/v1/services/iam.test/versions'), 401);
      await status(send('a.b.c', 'DELETE', us), 401);
      await status(send('petra', 'PUT', us, {}), 403);
      await status(send('rita', 'GET', '/v1/audit'), 403);
      await status(send('otto', 'DELETE', us), 409);
      await status(send('otto', 'PATCH', us, { disabled: true }, { 'if-match': '"999"' }), 412);
      await status(send('otto', 'DELETE', '/v1/services/iam.test/versions/v99'), 404);
      await status(send('petra', 'POST', '/v1/apply', [{ name: 'regions/jp', title: 'x' }]), 403);
      const instance = { service: 'iam.test', protocol: 'http', address: '10.0.0.1', port: 80 };
      await status(send('petra', 'POST', '/v1/instances', instance), 403);
    });
    const iam = { category: 'refusal', service: 'iam.test', target: 'services/iam.test/deployments/us' };
    expect(found).toMatchObject([
      {
        subject: 'anonymous',
        action: 'catalog.read',
        result: 'unauthenticated',
        target: 'services/iam.test',
        service: 'iam.test',
      },
      { ...iam, subject: 'anonymous', action: 'catalog.delete', result: 'invalid-token' },
      { ...iam, subject: 'petra', action: 'catalog.write', result: 'forbidden' },
      { subject: 'rita', action: 'audit.read', result: 'forbidden' },
      { ...iam, subject: 'otto', action: 'catalog.delete', result: 'conflict' },
      { ...iam, subject: 'otto', action: 'catalog.write', result: 'precondition-failed' },
      { subject: 'otto', result: 'not-found', target: 'services/iam.test/versions/v99', service: 'iam.test' },
      { subject: 'petra', action: 'catalog.apply', result: 'forbidden' },
      { subject: 'petra', action: 'instance.register', result: 'forbidden', service: 'iam.test' },
    ]);
    for (const entry of found)
      expect(entry).toMatchObject({ address: expect.any(String), requestId: expect.any(String) });
    expect(found[4]).not.toHaveProperty('detail');
    expect(found[7]).not.toHaveProperty('service');
    expect(found[8]).not.toHaveProperty('target');
  });

  test('SEC5 nothing of what is malformed, of reads that find nothing, of dry runs that a rule refuses, of renewals', async () => {
    const found = await told(async () => {
      await status(send('root', 'PUT', '/v1/regions/us', { titel: 1 }), 400);
      await status(send('root', 'PUT', '/v1/regions/us?access_token=x', {}), 400);
      await status(send('root', 'GET', '/v1/regions/nowhere'), 404);
      await status(send('root', 'GET', '/v1/nothing'), 404);
      await status(send('root', 'DELETE', '/v1/services/iam.test/deployments/us?dryRun=true'), 409);
      await status(send('root', 'POST', `/v1/instances/${'f'.repeat(24)}/renew`), 404);
      await status(send('root', 'GET', '/v1/regions'), 200);
    });
    expect(found).toEqual([]);
  });

  test('SEC5 registrations over a socket, and those that are refused', async () => {
    const found = await told(async () => {
      const socket = new WebSocket(`${node.url.replace('http', 'ws')}/v1/watch`, PROTOCOL, {
        headers: { authorization: `Bearer ${bearers['otto']}`, 'x-request-id': 'upgrade-1' },
      });
      const frames: { type: string }[] = [];
      socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
      await once(socket, 'open');
      const instance = { protocol: 'http', address: '10.0.0.2', port: 80, check: { type: 'ttl', ttl: '30s' } };
      for (const service of ['iam.test', 'shop.test']) {
        socket.send(JSON.stringify({ type: 'register', id: service, instance: { ...instance, service } }));
      }
      await until('two answers', () => frames.filter(({ type }) => type !== 'welcome').length >= 2);
      socket.terminate();
    });
    const common = {
      subject: 'otto',
      action: 'instance.register',
      requestId: 'upgrade-1',
      address: expect.any(String),
    };
    expect(found).toMatchObject([
      { ...common, category: 'change', service: 'iam.test', result: 'created' },
      { ...common, category: 'refusal', service: 'shop.test', result: 'forbidden' },
    ]);
  });

  test('SEC5 logins, as whoever signs people in tells them', async () => {
    const found = await told(async () => {
      node.audit.note({ category: 'login', subject: 'rita', action: 'login', result: 'ok', address: '10.0.0.9' });
    });
    expect(found).toMatchObject([{ category: 'login', subject: 'rita', result: 'ok', at: expect.any(String) }]);
  });

  test('SEC5 a flood of refusals is some entries and their number', async () => {
    const found = await told(async () => {
      for (let i = 0; i < 40; i++) await status(send('rita', 'PUT', `/v1/regions/r${i}`, {}), 403);
      await node.audit.close();
    });
    expect(found).toHaveLength(11);
    expect(found.at(-1)?.detail).toBe('and 30 more like this in the last minute');
  });
});

describe('SEC5 who reads it', () => {
  test('SEC5 administrators read all, owners and accounts what is about their services', async () => {
    const all = await entries('root');
    const of = (service: string) => all.filter((entry) => entry.service === service);
    expect(of('iam.test').length).toBeGreaterThan(5);
    expect(of('shop.test').length).toBeGreaterThan(2);
    expect(all.some(({ service }) => service === undefined)).toBe(true);
    expect(await entries('otto')).toEqual(of('iam.test'));
    expect(await entries('petra')).toEqual(of('shop.test'));
    expect(await entries('deployer')).toEqual(all.filter(({ service }) => service !== undefined));
    for (const who of ['rita', undefined]) expect((await send(who, 'GET', '/v1/audit')).ok).toBe(false);
  });

  test('SEC5 nobody learns more by asking for another’s service, or for what is about none', async () => {
    for (const query of ['&service=shop.test', '&service=nothing.test', '&target=regions/us', '&category=login']) {
      expect([query, await entries('otto', query)]).toEqual([query, []]);
    }
    expect(await entries('otto', '&service=iam.test')).toEqual(await entries('otto'));
    for (const at of [9e15, -1, 1.5, 'x']) {
      const forged = encodePageToken({ collection: 'audit', filter: '[]', orderBy: '' }, { values: [at], name: '1' });
      await status(send('otto', 'GET', `/v1/audit?pageToken=${forged}`), 400);
    }
    const response = await send('otto', 'GET', '/v1/audit?pageSize=2');
    const { nextPageToken, items } = (await response.json()) as { nextPageToken: string; items: Shown[] };
    // Made of what was on the page: a millisecond, and how many of it were given.
    expect(JSON.parse(Buffer.from(nextPageToken, 'base64url').toString()).slice(2)).toEqual([
      expect.stringMatching(/^[12]$/),
      Date.parse(items[1]?.at ?? ''),
    ]);
  });

  test('SEC5 pages together are all that match, and a token fits its filters alone', async () => {
    for (const query of ['', '&category=refusal', '&subject=otto&result=not-found']) {
      const found: Shown[] = [];
      let token = '';
      do {
        const response = await send('otto', 'GET', `/v1/audit?pageSize=3${query}&pageToken=${token}`);
        const page = (await response.json()) as { items: Shown[]; nextPageToken: string };
        found.push(...page.items);
        token = page.nextPageToken;
        if (token === '') break;
        await status(send('otto', 'GET', `/v1/audit?action=login&pageToken=${token}`), 400);
      } while (found.length < 1000);
      expect(found).toEqual(await entries('otto', query));
    }
  });

  test('SEC5 filters', async () => {
    const all = await entries('root');
    const middle = all[Math.floor(all.length / 2)]?.at ?? '';
    const expected: readonly [string, (entry: Shown) => boolean][] = [
      ['&subject=otto', ({ subject }) => subject === 'otto'],
      [`&account=${ACCOUNT}`, ({ account }) => account === ACCOUNT],
      ['&project=core', ({ project }) => project === 'core'],
      ['&action=catalog.delete', ({ action }) => action === 'catalog.delete'],
      ['&category=change&service=iam.test', (entry) => entry.category === 'change' && entry.service === 'iam.test'],
      ['&target=services/iam.test', ({ target }) => target === 'services/iam.test'],
      ['&result=conflict', ({ result }) => result === 'conflict'],
      [`&from=${middle}`, ({ at }) => at >= middle],
      [`&to=${middle}`, ({ at }) => at < middle],
    ];
    for (const [query, holds] of expected)
      expect([query, await entries('root', query)]).toEqual([query, all.filter(holds)]);
    for (const query of [
      '?category=x',
      '?from=yesterday',
      '?to=2026-13-01T00:00:00Z',
      '?pageToken=x',
      '?pageSize=0',
      '?who=x',
    ]) {
      await status(send('root', 'GET', `/v1/audit${query}`), 400);
    }
  });

  test('SEC5 as NDJSON it is all that match, in as many pages as it takes', async () => {
    const regions = Array.from({ length: 1203 }, (_, i) => ({ name: `regions/x${i}`, title: 'x' }));
    await status(send('root', 'POST', '/v1/apply', regions), 200);
    for (const who of ['root', 'otto']) {
      const response = await send(who, 'GET', '/v1/audit', undefined, { accept: 'application/x-ndjson' });
      expect(response.headers.get('content-type')).toBe('application/x-ndjson');
      const lines = (await response.text()).split('\n');
      expect(lines.pop()).toBe('');
      const found = lines.map((line) => JSON.parse(line) as Shown);
      if (who === 'otto') expect(found).toEqual(await entries(who));
      else expect(new Set(found.map(({ target }) => target)).size).toBeGreaterThan(1203);
      expect(new Set(lines).size).toBe(found.length);
    }
    const { readAudit } = node.store;
    let reads = 0;
    node.store.readAudit = (filter, page) => {
      reads += 1;
      return reads === 1 ? readAudit.call(node.store, filter, page) : Promise.reject(new Error('away'));
    };
    const cut = await send('root', 'GET', '/v1/audit', undefined, { accept: 'application/x-ndjson' });
    await expect(cut.text()).rejects.toThrow();
    node.store.readAudit = readAudit;
    const both = send('root', 'GET', '/v1/audit?pageToken=x', undefined, { accept: 'application/x-ndjson' });
    await status(both, 400);
  });

  test('SEC5 no token is in it', async () => {
    const text = JSON.stringify(await node.store.readAudit({}, { limit: 100_000 }));
    expect(text).toContain('invalid-token');
    for (const token of [...Object.values(bearers), 'a.b.c', 'eyJ', 'Bearer ey']) expect(text).not.toContain(token);
  });
});

import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { nextMembership, NO_MEMBERSHIP } from '../../src/domain/membership.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { storeContract } from '../store/contract.ts';
import { createDatabase } from '../support/postgres.ts';
import { migrateToThis, previousContract, RELEASE } from './previous.ts';

const previous = await previousContract();

previous.storeContract(`${RELEASE.version}, on a database that this version has migrated`, async () => {
  const { url, drop } = await createDatabase();
  await migrateToThis(url);
  return { open: () => previous.openPostgres({ url }), exclusive: false, dispose: drop };
});

previous.storeContract(`${RELEASE.version}, on a database on which nodes of this version share work`, async () => {
  const { url, drop } = await createDatabase();
  const store = await openPostgres({ url });
  for (const id of ['a', 'b']) await store.nodes.beat({ id, name: id, version: 'this', state: {} });
  expect(await store.nodes.change({ ...NO_MEMBERSHIP, term: 1, members: ['a', 'b'] })).toBe(true);
  await store.close();
  return { open: () => previous.openPostgres({ url }), exclusive: false, dispose: drop };
});

storeContract(`this version, on a database that ${RELEASE.version} has begun`, async () => {
  const { url, drop } = await createDatabase();
  await (await previous.openPostgres({ url })).close();
  return { open: () => openPostgres({ url }), exclusive: false, run: (sql) => query(url, sql), dispose: drop };
});

storeContract('this version, on a database that a later one has added to', async () => {
  const { url, drop } = await createDatabase();
  await migrateToThis(url);
  await addToEveryTable(url);
  return { open: () => openPostgres({ url }), exclusive: false, run: (sql) => query(url, sql), dispose: drop };
});

/** What the next release's migrations may do. */
async function addToEveryTable(url: string): Promise<void> {
  await query(
    url,
    `DO $$ DECLARE name text; BEGIN
       FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_%' LOOP
         EXECUTE format('ALTER TABLE %I ADD COLUMN later JSON, ADD COLUMN andmore INT NOT NULL DEFAULT 7', name);
       END LOOP;
     END $$; CREATE TABLE later (id INT PRIMARY KEY)`,
  );
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

describe('what a later version says of its nodes', () => {
  test('is passed over where it is not known', async () => {
    const { url, drop } = await createDatabase();
    const store = await openPostgres({ url });
    await store.nodes.beat({ id: 'b', name: 'b', version: '99.0.0', state: { later: { list: [1] }, hasLeases: true } });
    const standing = { ...NO_MEMBERSHIP, term: 1, members: ['a', 'b'] };
    await store.nodes.change(standing);
    await query(url, `UPDATE membership SET value = (value::jsonb || '{"later": [1]}')::json`);
    const { membership, nodes } = await store.nodes.beat({ id: 'a', name: 'a', version: 'this', state: {} });
    expect(membership).toMatchObject(standing);
    expect(nodes.map(({ id, version }) => ({ id, version }))).toEqual([
      { id: 'a', version: 'this' },
      { id: 'b', version: '99.0.0' },
    ]);
    const candidates = nodes.map(({ id, heardAt }) => ({ id, heardAt, takesPart: true, hasLeases: true }));
    const now = Math.max(...nodes.map(({ heardAt }) => heardAt));
    expect(nextMembership(membership, candidates, now, { timeoutMs: 60_000, claimMs: 40_000 })).toBeUndefined();
    await store.close();
    await drop();
  });
});

describe(`${RELEASE.version} and a newer database`, () => {
  test('says what it does not know, and goes on', async () => {
    const { url, drop } = await createDatabase();
    const said: string[] = [];
    const log = {
      info: (message: string) => void said.push(message),
      warn: (message: string) => void said.push(message),
    };
    await migrateToThis(url);
    await (await previous.openPostgres({ url, log })).close();
    expect(said).toEqual([
      expect.stringMatching(/^the database has migrations that this version .* does not know: \d/),
    ]);
    await drop();
  });
});

import { describe, expect, test } from '@jest/globals';
import { NO_MEMBERSHIP } from '../../src/domain/membership.ts';
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
  return { open: () => openPostgres({ url }), exclusive: false, dispose: drop };
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

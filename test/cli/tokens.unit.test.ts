import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registrationTokenText } from '../../src/domain/registration-token.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { AnsweringServer, problem } from './terminal.ts';

const ID = '0123456789abcdef01234567';
const TEXT = registrationTokenText(ID, 'f0'.repeat(32));
const PATH = '/v1/services/orders.example.com/registration-tokens';
const TOKEN = {
  id: ID,
  service: 'orders.example.com',
  title: 'the old farm',
  createTime: '2026-01-15T00:00:00.000Z',
  expireTime: '2026-04-15T00:00:00.000Z',
  createdBy: 'otto',
};
const server = new AnsweringServer();
const directory = temporaryDirectory();
beforeAll(() => server.start());
afterAll(async () => {
  await server.stop();
  directory.remove();
});
beforeEach(() => {
  server.reset();
  server.answers[`POST ${PATH}`] = (reply) => reply.code(201).send({ ...TOKEN, token: TEXT });
  server.answers[`GET ${PATH}`] = () => ({ items: [TOKEN, { ...TOKEN, id: ID.replace('0', 'f'), title: undefined }] });
  server.answers[`DELETE ${PATH}/${ID}`] = () => ({ ...TOKEN, revokeTime: '2026-02-01T08:00:00.000Z' });
});

describe('signalbox tokens', () => {
  test('create prints the token alone, so that it can be kept in a file', async () => {
    const { code, out, err } = await server.signalbox([
      'tokens',
      'create',
      'orders.example.com',
      '--title',
      'the old farm',
      '--ttl',
      '720h',
    ]);
    expect([code, out]).toEqual([0, `${TEXT}\n`]);
    expect(err).toContain(`${ID} of orders.example.com, good until 2026-04-15 00:00:00Z`);
    expect(err).toContain(`signalbox tokens revoke orders.example.com ${ID}`);
    expect(err).not.toContain(TEXT.slice(30));
    expect(server.seen).toMatchObject([{ method: 'POST', url: PATH, body: { title: 'the old farm', ttl: '720h' } }]);
    // And is taken from there.
    const file = join(directory.path, 'orders.token');
    writeFileSync(file, out);
    await server.signalbox(['--token-file', file, 'tokens', 'list', 'orders.example.com']);
    expect(server.authorizations.at(-1)).toBe(`Bearer ${TEXT}`);
  });

  test('create with --json prints all of the answer', async () => {
    const { out, err } = await server.signalbox(['tokens', 'create', 'orders.example.com', '--json']);
    expect([JSON.parse(out), err]).toEqual([{ ...TOKEN, token: TEXT }, '']);
  });

  test('list is a table, or lines of JSON', async () => {
    const { out } = await server.signalbox(['tokens', 'list', 'orders.example.com']);
    expect(out).toMatch(/^TOKEN +TITLE +MADE +BY +GOOD UNTIL\n/);
    expect(out).toMatch(new RegExp(`${ID} +the old farm +2026-01-15 00:00:00Z +otto +2026-04-15 00:00:00Z`));
    const json = await server.signalbox(['tokens', 'list', 'orders.example.com', '--json']);
    expect(
      json.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toHaveLength(2);
    server.answers[`GET ${PATH}`] = () => ({ items: [] });
    const none = await server.signalbox(['tokens', 'list', 'orders.example.com']);
    expect(none.out).toContain('signalbox tokens create orders.example.com');
  });

  test('revoke takes the id, or the token itself, which is not sent in the URL', async () => {
    for (const text of [ID, TEXT]) {
      const { code, out } = await server.signalbox(['tokens', 'revoke', 'orders.example.com', text]);
      expect([code, out]).toEqual([
        0,
        `Registration token ${ID} of orders.example.com is revoked since 2026-02-01 08:00:00Z.\n`,
      ]);
    }
    expect(server.seen.map(({ url }) => url)).toEqual([`${PATH}/${ID}`, `${PATH}/${ID}`]);
  });

  test.each([
    ['create', ['UPPER']],
    ['list', ['a/b']],
    ['revoke', ['orders.example.com', `${TEXT}0`]],
    ['create', ['orders.example.com', '--ttl', 'long']],
    ['revoke', ['orders.example.com']],
  ])('%s %j is a mistake in the command line', async (command, args) => {
    const { code, out, err } = await server.signalbox(['tokens', command, ...args]);
    expect([code, out, server.seen.length]).toEqual([2, '', 0]);
    expect(err).not.toContain(TEXT.slice(30, 60));
  });

  test('a refusal is told', async () => {
    server.answers[`POST ${PATH}`] = (reply) => problem(reply, 409, 'too-many-tokens', { detail: 'revoke one' });
    const { code, out, err } = await server.signalbox(['tokens', 'create', 'orders.example.com']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('revoke one');
  });
});

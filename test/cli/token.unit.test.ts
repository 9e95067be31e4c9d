import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokens } from '../../src/auth/tokens.ts';
import { run } from '../../src/cli/program.ts';
import { until } from '../acceptance/until.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { LiveNode } from '../feed/live-node.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { AnsweringServer, problem, terminal } from './terminal.ts';

const server = new AnsweringServer();
const directory = temporaryDirectory();
const file = join(directory.path, 'token');
beforeAll(() => server.start());
afterAll(async () => {
  await server.stop();
  directory.remove();
});
beforeEach(() => {
  server.reset();
  server.answers['GET /v1/subscribers'] = () => ({ items: [], cutOffs: [] });
});
afterEach(() => rmSync(file, { force: true }));

const withToken = (token: string, args: readonly string[] = []) =>
  server.signalbox([...args, 'subscribers'], { env: { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token } });

test('the token comes from the environment, or from a file, which counts more', async () => {
  writeFileSync(file, 'of-the-file\n');
  expect((await withToken('')).code).toBe(0);
  expect((await withToken('of-the-environment')).code).toBe(0);
  expect((await withToken('of-the-environment', ['--token-file', file])).code).toBe(0);
  expect(server.authorizations).toEqual([undefined, 'Bearer of-the-environment', 'Bearer of-the-file']);
});

test.each<[what: string, content: string | undefined]>([
  ['no file', undefined],
  ['an empty file', '\n'],
  ['more than a token', 'se cret'],
  ['a header in it', 'secret\r\nX: y'],
])('%s is a mistake in the command line, and is not shown', async (_what, content) => {
  if (content !== undefined) writeFileSync(file, content);
  const { code, err } = await withToken('', ['--token-file', file]);
  expect([code, server.seen.length]).toEqual([2, 0]);
  expect(err).toContain('token');
  expect(err).not.toMatch(/cret/);
  expect((await server.signalbox(['register', '--service', 'a.test', '--port', '1', '--token-file', file])).code).toBe(
    2,
  );
});

test('SEC1 a token is not sent in the clear to another machine, unless one says so', async () => {
  writeFileSync(file, 'of-the-file');
  const to = (env: Record<string, string>, args: readonly string[] = []) =>
    server.signalbox([...args, 'subscribers'], { env: { SIGNALBOX_URL: 'http://signalbox.invalid:4400', ...env } });
  for (const ran of [await to({ SIGNALBOX_TOKEN: 'secret' }), await to({}, ['--token-file', file])]) {
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('SIGNALBOX_ALLOW_HTTP=1')]);
    expect(ran.err).not.toMatch(/secret|of-the-file/);
  }
  // There is no such machine, and that is what is said from here on.
  for (const ran of [await to({}), await to({ SIGNALBOX_TOKEN: 'secret', SIGNALBOX_ALLOW_HTTP: '1' })])
    expect(ran.err).not.toContain('SIGNALBOX_ALLOW_HTTP');
});

test('no option takes a token, since everyone on the machine sees it', async () => {
  expect((await server.signalbox(['--token', 'x', 'subscribers'])).code).toBe(2);
});

test('who is not let in is told how to show a token', async () => {
  server.answers['GET /v1/subscribers'] = (reply) =>
    problem(reply, 401, 'unauthenticated', { detail: 'This needs one.' });
  const { code, err } = await withToken('');
  expect(code).toBe(1);
  expect(err).toContain(
    'This needs one. Run `signalbox login`, or give this command an access token with SIGNALBOX_TOKEN or --token-file.',
  );
});

test('watch brings another token before the one that it has ends, and nothing is interrupted', async () => {
  const issuer = await IssuerServer.open();
  const log = { warn: () => {}, info: () => {} };
  const tokens = new Tokens([issuer.issuer({ readers: '*' })], { log, now: () => performance.now(), clock: Date.now });
  const node = await LiveNode.open({ access: { development: false, tokens } });
  // It is asked for another with less than a minute to go: at once.
  writeFileSync(file, await issuer.mint({ sub: 'same' }, { expiresIn: -4 }));
  const { io, ran } = terminal({ env: { SIGNALBOX_URL: node.url } });
  const done = run(['watch', '--token-file', file], io);
  await until('the snapshot', () => ran.out.includes('watching for changes'));
  const fresh = await issuer.mint({ sub: 'same' });
  writeFileSync(file, fresh);
  await until('the new one holds', () =>
    [...node.hub.subscribers].some(({ passEndsAt }) => (passEndsAt ?? 0) > Date.now() + 30_000),
  );
  await node.put('regions/us');
  await until('a change', () => ran.out.includes('regions/us'));
  expect(ran.err).not.toContain('connection lost');
  ran.interrupt();
  expect(await done).toBe(0);
  await node.close();
  await issuer.close();
});

test('watch shows its token at every connection, as it is then', async () => {
  const issuer = await IssuerServer.open();
  const log = { warn: () => {}, info: () => {} };
  const tokens = new Tokens([issuer.issuer({ readers: '*' })], { log, now: () => performance.now(), clock: Date.now });
  const node = await LiveNode.open({ access: { development: false, tokens } });
  // Good for two seconds, since clocks may differ by ten.
  writeFileSync(file, await issuer.mint({ sub: 'first' }, { expiresIn: -8 }));
  const { io, ran } = terminal({ env: { SIGNALBOX_URL: node.url } });
  const done = run(['watch', '--token-file', file], io);
  await until('the snapshot', () => ran.out.includes('watching for changes'));
  writeFileSync(file, await issuer.mint({ sub: 'second' }));
  await until('the way back', () => ran.err.includes('connected again'));
  expect(ran.err).toContain('connection lost: the token has expired; trying again');
  await node.put('regions/us');
  await until('a change', () => ran.out.includes('regions/us'));
  ran.interrupt();
  expect(await done).toBe(0);

  writeFileSync(file, 'a.b.c');
  const refused = terminal({ env: { SIGNALBOX_URL: node.url } });
  expect(await run(['watch', '--token-file', file], refused.io)).toBe(1);
  expect(refused.ran.err).toContain('SIGNALBOX_TOKEN or --token-file');
  await node.close();
  await issuer.close();
});

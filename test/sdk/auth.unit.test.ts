import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokenSource } from '../../src/sdk/auth.ts';
import { Reauth } from '../../src/sdk/connection/reauth.ts';
import { webSocket } from '../../src/sdk/links/web-socket.ts';
import type { ConnectOptions } from '../../src/sdk/options.ts';
import { readSettings } from '../../src/sdk/settings.ts';
import { FakeTime, turns } from './fake-time.ts';

const PARTS = { time: { now: () => 0, after: () => () => {} }, readFile: (path: string) => readFile(path, 'utf8') };

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

test('a token is what it is, what a function says, or what a file holds now', async () => {
  expect(await tokenSource(undefined, PARTS).get(false)).toBeUndefined();
  expect(await tokenSource({ token: 'a' }, PARTS).get(true)).toBe('a');
  let n = 0;
  const source = tokenSource({ token: () => `t${(n += 1)}` }, PARTS);
  expect([source.renewable, await source.get(false), await source.get(false)]).toEqual([true, 't1', 't2']);
  const directory = mkdtempSync(join(tmpdir(), 'signalbox-'));
  leftovers.push(() => rmSync(directory, { recursive: true }));
  const tokenFile = join(directory, 'token');
  const file = tokenSource({ tokenFile }, PARTS);
  await expect(file.get(false)).rejects.toThrow('ENOENT');
  writeFileSync(tokenFile, ' one\n');
  expect(await file.get(false)).toBe('one');
  writeFileSync(tokenFile, 'two');
  expect(await file.get(false)).toBe('two');
});

test('SEC1 a token that could not be sent is refused at its source, whatever that is, and never shown', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'signalbox-'));
  leftovers.push(() => rmSync(directory, { recursive: true }));
  const tokenFile = join(directory, 'token');
  const issuer = createServer((_request, response) => void response.end(JSON.stringify({ access_token: given })));
  issuer.listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  leftovers.push(() => (issuer.closeAllConnections(), issuer.close()));
  const tokenUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`;
  let given: string = '';
  for (given of ['se cret', 'secret\nsecret', 'sécret', 'secret\u{0}']) {
    writeFileSync(tokenFile, given);
    const all: NonNullable<ConnectOptions['auth']>[] = [
      { token: given },
      { token: () => given },
      { tokenFile },
      { clientCredentials: { tokenUrl, clientId: 'a', clientSecret: 'b' } },
    ];
    for (const auth of all) {
      const error: unknown = await tokenSource(auth, PARTS)
        .get(false)
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'unauthorized', message: expect.stringContaining('is no access token') });
      expect((error as Error).stack).not.toMatch(/cret/);
    }
  }
  await expect(tokenSource({ token: () => ' ' }, PARTS).get(false)).rejects.toMatchObject({ code: 'unauthorized' });
  await expect(tokenSource({ token: () => 7 as never }, PARTS).get(false)).rejects.toThrow('no access token');
  expect(await tokenSource({ token: ' abc\n' }, PARTS).get(false)).toBe('abc');
  expect(await tokenSource({ token: () => undefined }, PARTS).get(false)).toBeUndefined();
});

test('client credentials are exchanged once for as long as the token holds, and anew where it is not taken', async () => {
  const asked: { authorization: string | undefined; body: string }[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      asked.push({ authorization: request.headers.authorization, body });
      const answer =
        status === 200 ? { access_token: `t${asked.length}`, expires_in: 100 } : { error: 'invalid_client' };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  leftovers.push(() => (server.closeAllConnections(), server.close()));
  let now = 0;
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const clientCredentials = { tokenUrl, clientId: 'me:you', clientSecret: 'p w', scope: 'read', audience: 'signalbox' };
  const source = tokenSource({ clientCredentials }, { ...PARTS, time: { ...PARTS.time, now: () => now } });
  expect(await Promise.all([source.get(false), source.get(false)])).toEqual(['t1', 't1']);
  now = 89_999;
  expect(await source.get(false)).toBe('t1');
  now = 90_000;
  expect(await source.get(false)).toBe('t2');
  expect(await source.get(true)).toBe('t3');
  expect(asked[0]).toEqual({
    authorization: `Basic ${Buffer.from('me%3Ayou:p+w').toString('base64')}`,
    body: 'grant_type=client_credentials&scope=read&audience=signalbox',
  });
  status = 401;
  await expect(source.get(true)).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringContaining('invalid_client'),
  });
});

describe('SEC1 a token goes to https and to this machine alone', () => {
  const read = (options: ConnectOptions, env = {}) =>
    readSettings(options, { env, random: () => 0.5, carriers: [webSocket] });
  const token = { token: 'secret' };

  test.each(['https://a.example', 'http://localhost:4400', 'http://127.9.9.9', 'http://[::1]:1'])('%s', (url) => {
    expect(read({ url, auth: token }).connection.urls).toEqual([url]);
  });

  test.each(['http://a.example', 'http://127.0.0.1.example', 'http://localhost.example'])('not to %s', (url) => {
    expect(() => read({ url, auth: token })).toThrow(expect.objectContaining({ code: 'invalid-options' }));
    expect(() => read({ urls: ['https://a.example', url] }, { SIGNALBOX_TOKEN: 'x' })).toThrow('use https');
    expect(read({ url, auth: token, allowHttp: true }).connection.urls).toEqual([url]);
    expect(read({ url, auth: token }, { SIGNALBOX_ALLOW_HTTP: '1' }).connection.urls).toEqual([url]);
    expect(read({ url }).auth).toBeUndefined();
  });

  test('nor does a secret', () => {
    const clientCredentials = { tokenUrl: 'http://login.example/token', clientId: 'a', clientSecret: 'b' };
    expect(() => read({ url: 'https://a.example', auth: { clientCredentials } })).toThrow('http://login.example/token');
  });

  test('what makes no sense is said with the option', () => {
    expect(() => read({ url: 'ftp://x' })).toThrow('url takes an address');
    expect(() => read({ url: 'https://me:pw@x' })).toThrow('carries no user');
    expect(() => read({ urls: [] })).toThrow('urls has at least one entry');
    expect(() => read({ url: 'https://a', urls: [] })).toThrow('one or the other');
    for (const openTimeoutMs of [0, NaN, Infinity, 2 ** 31]) {
      expect(() => read({ openTimeoutMs })).toThrow('openTimeoutMs');
    }
    expect(() => read({ carriers: ['long-poll'] })).toThrow('carriers');
  });
});

test('one who is asked for another token and never answers is asked again', async () => {
  const time = new FakeTime();
  let asked = 0;
  const sent: string[] = [];
  const token = () => ((asked += 1) < 3 ? new Promise<string>(() => {}) : Promise.resolve('new'));
  const reauth = new Reauth({ time, token, send: (fresh) => void sent.push(fresh) });
  reauth.linked('old');
  reauth.wanted(60_000);
  await time.pass(20_000);
  expect([sent, asked, time.pending]).toEqual([['new'], 3, 0]);
});

test('another token is asked for until there is one, for the open link', async () => {
  const time = new FakeTime();
  let token = 'old';
  const sent: string[] = [];
  const reauth = new Reauth({ time, token: () => Promise.resolve(token), send: (fresh) => void sent.push(fresh) });
  reauth.linked('old');
  reauth.wanted(60_000);
  await time.pass(20_000);
  expect(sent).toEqual([]);
  token = 'new';
  await time.pass(10_000);
  expect(sent).toEqual(['new']);
  // One that is not taken is followed by the next that differs.
  reauth.refused();
  await time.pass(10_000);
  token = 'newer';
  await time.pass(10_000);
  expect(sent).toEqual(['new', 'newer']);
  reauth.wanted(60_000);
  reauth.stop();
  token = 'newest';
  await turns();
  await time.pass(60_000);
  expect(sent).toEqual(['new', 'newer']);
  expect(time.pending).toBe(0);
});

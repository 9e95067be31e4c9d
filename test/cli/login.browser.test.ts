import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { run } from '../../src/cli/program.ts';
import { embeddedHome, type EmbeddedHome } from '../acceptance/homes.ts';
import { until } from '../acceptance/until.ts';
import { openChromium } from '../support/chromium.ts';
import { startSignalbox, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { AnsweringServer, terminal } from './terminal.ts';

let data: EmbeddedHome;
const home = temporaryDirectory();
const file = join(home.path, 'signalbox', 'credentials.json');
let node: Signalbox;
let browser: Browser;
let page: Page;
let password = '';

beforeAll(async () => {
  data = await embeddedHome();
  const env = { ...data.env, DEVELOPMENT_ACCESS: 'login' };
  [node, browser] = await Promise.all([startSignalbox({ env, readyWithin: 90_000 }), openChromium()]);
  password = (JSON.parse(readFileSync(join(data.path, 'development.json'), 'utf8')) as { password: string }).password;
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await node?.stop();
  await data?.drop();
  home.remove();
});
beforeEach(async () => {
  rmSync(file, { force: true });
  page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(20_000);
});

const at = (url: string) => ({ env: { SIGNALBOX_URL: url, XDG_CONFIG_HOME: home.path } });

const signalbox = async (args: readonly string[], url = node.url) => {
  const { io, ran } = terminal(at(url));
  return { code: await run(args, io), out: ran.out, err: ran.err };
};

/** Carries out a login, in which `visit` does what a person would. */
async function logIn(args: readonly string[], visit: (said: string) => Promise<void>) {
  const { io, ran } = terminal(at(node.url));
  const done = run(['login', '--no-browser', ...args], io);
  await until('it says where to go', () => /https?:\/\/\S+[\s\S]*\n\n/.test(ran.err));
  await visit(ran.err);
  return { code: await done, out: ran.out, err: ran.err };
}

async function signIn(person: string): Promise<void> {
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: person }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
}

interface Saved {
  accessToken: string;
  refreshToken: string;
  expiresAt: number;
}
const saved = (): Saved => (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Saved>)[node.url] as Saved;
const save = (more: Partial<Saved>, url = node.url): void =>
  writeFileSync(file, JSON.stringify({ [url]: { ...saved(), ...more } }));

const byBrowser = () =>
  logIn([], async (said) => {
    await page.goto(/https?:\/\/\S+/.exec(said)?.[0] ?? '');
    await signIn('Olga Orders');
    await page.getByText('Done.').waitFor();
  });

test('SEC1 SEC2 with DEVELOPMENT_ACCESS=login nobody is let in who has not logged in', async () => {
  expect(await signalbox(['get', 'regions'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('signalbox login'),
  });
  expect((await signalbox(['whoami'])).out).toContain('Nobody, at');
  await page.goto(`${node.url}/login`);
  await page.getByRole('link', { name: 'Log in with the development provider' }).click();
  await page.getByLabel('Password').fill('a guess');
  await page.getByRole('button', { name: 'Ada Admin' }).click();
  expect(await page.getByRole('alert').innerText()).toBe('This is not the password.');
});

test('SEC1 login with a browser, whoami, a token that is renewed, logout', async () => {
  const { code, out, err } = await byBrowser();
  expect([code, err]).toEqual([0, expect.stringContaining('/oidc/auth?')]);
  expect(out).toMatch(/subject +olga\nroles +owner/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await signalbox(['whoami', '--json'])).out).toContain('"subject":"olga"');
  expect((await signalbox(['get', 'regions'])).code).toBe(0);

  const before = saved();
  save({ expiresAt: Date.now() });
  // Several at once use the refresh token once.
  const all = await Promise.all([1, 2, 3].map(() => signalbox(['whoami'])));
  expect(all.map((one) => one.code)).toEqual([0, 0, 0]);
  expect(saved().accessToken).not.toBe(before.accessToken);
  expect(saved().expiresAt).toBeGreaterThan(Date.now());

  const { refreshToken } = saved();
  expect(await signalbox(['logout'])).toMatchObject({ code: 0, out: `Logged out of ${node.url}.\n` });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({});
  expect((await signalbox(['whoami'])).out).toContain('Nobody');
  // The provider does not take what was withdrawn.
  writeFileSync(file, JSON.stringify({ [node.url]: { ...before, refreshToken, expiresAt: 0 } }));
  expect(await signalbox(['whoami'])).toMatchObject({ code: 1, err: expect.stringContaining('Your login has ended.') });
  for (const { out: said, err: complained } of all) expect(said + complained).not.toContain(before.accessToken);
});

test('SEC1 a token is shown to the server that it is for, and to no other', async () => {
  await byBrowser();
  const other = new AnsweringServer();
  await other.start();
  other.answers['GET /v1/whoami'] = () => ({
    kind: 'stranger',
    subject: 'anonymous',
    roles: [],
    services: [],
    by: 'nothing',
  });
  expect((await signalbox(['whoami'], other.url)).code).toBe(0);
  expect((await signalbox(['whoami'], node.url.replace('127.0.0.1', 'localhost'))).out).toContain('Nobody');
  expect(other.authorizations).toEqual([undefined]);
  await other.stop();
});

test('login with a device code', async () => {
  const { code, out } = await logIn(['--device'], async (said) => {
    await page.goto(/https?:\/\/\S+/.exec(said)?.[0] ?? '');
    const userCode = /\n\n {2}(\S+)\n/.exec(said)?.[1] ?? '';
    await page.getByRole('textbox').fill(userCode);
    await page.getByRole('button', { name: 'Continue' }).click();
    expect(await page.getByRole('main').innerText()).toContain(userCode);
    await page.getByRole('button', { name: 'It does: continue' }).click();
    await signIn('Rita Reader');
    await page.getByRole('heading', { name: 'You are signed in' }).waitFor();
  });
  expect([code, out]).toEqual([0, expect.stringMatching(/subject +rita\nroles +reader/)]);
}, 60_000);

test('a login that is cancelled, and servers where there is none, are explained', async () => {
  const cancelled = await logIn([], async (said) => {
    await page.goto(/https?:\/\/\S+/.exec(said)?.[0] ?? '');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('You are not logged in.').waitFor();
  });
  expect(cancelled).toMatchObject({ code: 1, err: expect.stringContaining('access_denied') });

  const other = new AnsweringServer();
  await other.start();
  other.answers['GET /v1/auth'] = () => ({ issuers: [{ issuer: 'https://login.example.com', browser: true }] });
  expect(await signalbox(['login'], other.url)).toMatchObject({ code: 1, err: expect.stringContaining('cliClientId') });
  other.answers['GET /v1/auth'] = () => ({ issuers: [{ issuer: 'http://login.example.com', cliClientId: 'c' }] });
  expect(await signalbox(['login'], other.url)).toMatchObject({ code: 1, err: expect.stringContaining('not safe') });
  await other.stop();
  expect(await signalbox(['login'], 'http://signalbox.example.com')).toMatchObject({
    code: 2,
    err: expect.stringContaining('https://'),
  });
  expect((await signalbox(['logout'])).out).toContain('Nobody was logged in');
});

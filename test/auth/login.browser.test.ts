import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { openChromium } from '../support/chromium.ts';
import { embeddedHome, type EmbeddedHome } from '../acceptance/homes.ts';
import { call, startSignalbox, type Signalbox } from '../support/signalbox.ts';

let home: EmbeddedHome;
let node: Signalbox;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  home = await embeddedHome();
  [node, browser] = await Promise.all([
    startSignalbox({
      env: { ...home.env, LOG_LEVEL: 'trace', WATCH_HEARTBEAT: '1s' },
      readyWithin: 90_000,
    }),
    openChromium(),
  ]);
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await node?.stop();
  await home?.drop();
});
afterEach(() => context?.close());

async function open(): Promise<void> {
  context = await browser.newContext();
  page = await context.newPage();
  page.setDefaultTimeout(20_000);
}

async function logIn(person: string, from = '/login'): Promise<void> {
  await page.goto(node.url + from);
  await page.getByRole('link', { name: 'Log in with the development provider' }).click();
  await page.getByRole('button', { name: person }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
}

const cookie = async () => (await context.cookies()).find(({ name }) => name === `signalbox-${node.port}`);

/** A request out of a page that may make some, as its script would. */
const fetchIn = async (path: string, init: object = {}): Promise<{ status: number; body: Record<string, unknown> }> => {
  const other = await context.newPage();
  await other.goto(node.url);
  const answer = await other.evaluate(
    async ([url, options]) => {
      const response = await fetch(url, options as RequestInit);
      const text = await response.text();
      return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
    },
    [path, init] as const,
  );
  await other.close();
  return answer;
};

test('SEC1 login, consent, session, a write, logout: in a browser, with the provider of development mode', async () => {
  await open();
  const elsewhere: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(node.url)) elsewhere.push(request.url());
  });
  page.on('console', (message) => complaints.push(message.text()));
  await page.goto(`${node.url}/login`);
  expect(await page.title()).toBe('Log in · Signalbox');
  await page.getByRole('link', { name: 'Log in with the development provider' }).click();
  // Each of the people is there with what they may do.
  await expect(page.getByRole('button').allInnerTexts()).resolves.toEqual([
    expect.stringContaining('Ada Admin\nPlatform administrator'),
    expect.stringContaining('Olga Orders\nAPI owner of apiId "orders"'),
    expect.stringContaining('Pavel Payments\nAPI owner of apiId "payments"'),
    expect.stringContaining('Rita Reader\nReader'),
    'Cancel',
  ]);
  await page.getByRole('button', { name: 'Ada Admin' }).click();
  expect(await page.getByRole('main').innerText()).toContain('Signalbox wants to act for you. You are Ada Admin.');
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(`${node.url}/session`);
  expect(await page.getByRole('heading').innerText()).toBe('You are Ada Admin');
  expect(await page.getByRole('main').innerText()).toContain('Platform administrator');

  const { value, ...flags } = (await cookie()) ?? { value: '' };
  expect(flags).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/', domain: '127.0.0.1', expires: -1 });
  expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(await page.evaluate('document.cookie')).toBe('');

  const { body: who } = await fetchIn('/v1/whoami');
  expect(who).toMatchObject({ kind: 'administrator', subject: 'ada', by: 'session', name: 'Ada Admin' });
  const put = { method: 'PUT', body: '{"title":"Japan"}', headers: { 'content-type': 'application/json' } };
  expect(await fetchIn('/v1/regions/jp', put)).toMatchObject({ status: 403, body: { type: '/problems/cross-site' } });
  const signed = { ...put, headers: { ...put.headers, 'x-signalbox-csrf': String(who['csrf']) } };
  expect((await fetchIn('/v1/regions/jp', signed)).status).toBe(201);

  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log out of the development provider as well?' }).waitFor();
  expect(await cookie()).toBeUndefined();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(`${node.url}/login`);
  // The cookie that somebody has kept is worth nothing.
  const kept = { cookie: `signalbox-${node.port}=${value}` };
  expect((await call(node.url, 'GET', '/v1/regions', undefined, kept)).status).toBe(401);
  expect((await call(node.url, 'GET', '/v1/whoami', undefined, kept)).body).toMatchObject({ kind: 'stranger' });
  expect(elsewhere).toEqual([]);
  expect(complaints.filter((text) => /content security policy/i.test(text))).toEqual([]);
});

test('SEC1 a reader is a reader, in development mode as well, and comes back to where they were going', async () => {
  await open();
  await logIn('Rita Reader', '/login?return_to=%2Fv1%2Fwhoami%3F');
  await page.waitForURL(/\/v1\/whoami/);
  expect(JSON.parse(await page.locator('pre').innerText())).toMatchObject({ subject: 'rita', roles: ['reader'] });
  await page.goto(`${node.url}/session`);
  const { body } = await fetchIn('/v1/whoami');
  const headers = { 'content-type': 'application/json', 'x-signalbox-csrf': String(body['csrf']) };
  expect((await fetchIn('/v1/regions')).status).toBe(200);
  expect(await fetchIn('/v1/regions/kr', { method: 'PUT', body: '{"title":"Korea"}', headers })).toMatchObject({
    status: 403,
    body: { type: '/problems/forbidden' },
  });
});

test('SEC1 a page of another origin gets nothing with the cookie: no write, no socket, no stream', async () => {
  await open();
  await logIn('Ada Admin');
  await page.waitForURL(`${node.url}/session`);
  const session = await cookie();
  // Of the same site for the browser, which asks for no port: it sends the cookie along.
  const evil = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(
      `<form method="post" action="${node.url}/logout"><input name="csrf" value="guess"><button>Win</button></form>`,
    );
  });
  evil.listen(0, '127.0.0.1');
  await once(evil, 'listening');
  const origin = `http://127.0.0.1:${(evil.address() as AddressInfo).port}`;
  await page.goto(origin);
  const tried = await page.evaluate(async (url) => {
    const post = (body: string, type: string) =>
      fetch(`${url}/v1/apply`, {
        method: 'POST',
        mode: 'no-cors',
        credentials: 'include',
        body,
        headers: { 'content-type': type },
      });
    // That the answer is kept from the page (Cross-Origin-Resource-Policy) says nothing of what became of it.
    await post('[{"name":"regions/evil","title":"x"}]', 'text/plain').catch(() => undefined);
    const socket = await new Promise((done) => {
      const ws = new globalThis.WebSocket(`${url.replace('http', 'ws')}/v1/watch`, 'signalbox.v1');
      ws.addEventListener('open', () => done('open'));
      ws.addEventListener('error', () => done('refused'));
    });
    const read = await fetch(`${url}/v1/regions`, { credentials: 'include' }).then(
      () => 'read',
      () => 'refused',
    );
    return { socket, read };
  }, node.url);
  expect(tried).toEqual({ socket: 'refused', read: 'refused' });
  await page.getByRole('button', { name: 'Win' }).click();
  await page.waitForURL(`${node.url}/logout`);
  expect(await page.locator('body').innerText()).toContain('/problems/cross-site');
  evil.close();

  const headers = { cookie: `${session?.name}=${session?.value}` };
  const regions = (await call(node.url, 'GET', '/v1/regions', undefined, headers)).body.items as { name: string }[];
  expect(regions.map(({ name }) => name)).not.toContain('regions/evil');
  const upgrade = (more: object) =>
    new Promise<number>((done) => {
      const ws = new WebSocket(`${node.url.replace('http', 'ws')}/v1/watch`, 'signalbox.v1', {
        headers: { ...headers, ...more },
      });
      ws.on('unexpected-response', (_request, response) => done(response.statusCode ?? 0));
      ws.on('error', () => {});
      ws.on('open', () => {
        done(101);
        ws.close();
      });
    });
  expect(await upgrade({ origin })).toBe(403);
  expect(await upgrade({})).toBe(403);
  expect(await upgrade({ origin: node.url })).toBe(101);
  const stream = { ...headers, accept: 'text/event-stream' };
  expect((await call(node.url, 'GET', '/v1/watch', undefined, { ...stream, origin })).status).toBe(403);
  expect((await call(node.url, 'GET', '/v1/watch', undefined, stream)).status).toBe(403);
  await page.goto(`${node.url}/session`);
  expect(await page.getByRole('heading').innerText()).toBe('You are Ada Admin');
});

test('SEC1 what a session has opened is closed when it ends', async () => {
  await open();
  await logIn('Ada Admin');
  await page.waitForURL(`${node.url}/session`);
  const session = await cookie();
  const headers = { cookie: `${session?.name}=${session?.value}`, origin: node.url };
  const socket = new WebSocket(`${node.url.replace('http', 'ws')}/v1/watch`, 'signalbox.v1', { headers });
  await once(socket, 'open');
  const closed = once(socket, 'close') as Promise<[number]>;
  await page.getByRole('button', { name: 'Log out' }).click();
  expect((await closed)[0]).toBe(4004);
});

test('SEC2 who cancels is not logged in, and secrets are made per directory, for their owner alone, and logged nowhere', async () => {
  await open();
  await page.goto(`${node.url}/login`);
  await page.getByRole('link', { name: 'Log in with the development provider' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('heading', { name: 'You are not logged in' }).waitFor();
  expect(await page.getByRole('alert').innerText()).toContain('access_denied');
  expect(await cookie()).toBeUndefined();

  const file = join(home.path, 'development.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const secrets = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const texts = JSON.stringify(secrets).match(/[A-Za-z0-9_-]{12,}/g) ?? [];
  const secret = texts.filter((text) => !['orders-deployer', 'payments-deployer'].includes(text));
  expect(secret.length).toBeGreaterThan(5);
  const output = node.output();
  expect(output).toContain('answers a request');
  for (const text of secret) expect(output).not.toContain(text);
  // Tokens, codes and cookies neither.
  expect(output).not.toMatch(/eyJhbGci/);
  expect(output).not.toMatch(/[?&](?:code|state)=[A-Za-z0-9_-]/);
});

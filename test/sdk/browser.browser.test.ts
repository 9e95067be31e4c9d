import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import type { Carrier } from '../../src/sdk/connection/link.ts';
import { eventStreamCarrier } from '../../src/sdk/links/event-stream.ts';
import { until } from '../acceptance/until.ts';
import { openChromium } from '../support/chromium.ts';
import { startProxy, type Proxy } from '../support/half-open.ts';
import { call, startSignalbox, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { LinkPeer } from './link-peer.ts';
import { startFront } from './page-front.ts';

const HEARTBEAT_MS = 500;
/** Ten heartbeats: as many as a laptop that is closed for minutes misses of the usual ones. */
const CLOSED_MS = 10 * HEARTBEAT_MS;

const PAGE = '/sdk-test.html';
const directory = temporaryDirectory();
const env = { DATA_DIR: directory.path, WATCH_HEARTBEAT: `${HEARTBEAT_MS}ms` };
let node: Signalbox;
let proxy: Proxy;
let front: Awaited<ReturnType<typeof startFront>>;
let html = '';
let browser: Browser;
let bundle: string;
let context: BrowserContext;
let page: Page;
let cdp: CDPSession;

beforeAll(async () => {
  const entry = { contents: `export { connect } from './src/sdk/browser.ts'`, resolveDir: resolve('.') };
  const options = { bundle: true, platform: 'browser', format: 'iife', globalName: 'signalbox', write: false } as const;
  const [started, opened, built] = await Promise.all([
    startSignalbox({ env, readyWithin: 90_000 }),
    openChromium(),
    build({ stdin: entry, ...options }),
  ]);
  node = started;
  browser = opened;
  bundle = built.outputFiles[0]?.text ?? '';
  proxy = await startProxy(node.port);
  front = await startFront(proxy.port, PAGE, () => html);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await proxy?.close();
  await front?.close();
  await node?.stop();
  directory.remove();
});
afterEach(() => context?.close());

/** What the page runs: a cache of everything, and what became of it. */
const SCRIPT = `
  const client = signalbox.connect({ carriers: CARRIERS });
  const watch = client.watch({ kind: '*' });
  const told = [];
  watch.on('state', (state) => told.push(state));
  client.on('mismatch', () => told.push('mismatch'));
  const errors = [];
  client.on('error', ({ code, message }) => errors.push(code + ': ' + message));
  let longestPause = 0;
  let last = performance.now();
  setInterval(() => {
    longestPause = Math.max(longestPause, performance.now() - last);
    last = performance.now();
  }, 50);
  globalThis.cacheNow = () => ({
    state: watch.state,
    digest: watch.snapshot?.digest,
    revision: watch.snapshot?.position.revision,
    told,
    longestPause,
    errors,
  });
`;

interface Status {
  readonly state: string;
  readonly digest?: string;
  readonly revision?: number;
  readonly told: readonly string[];
  /** How long its timers stood still at most, in milliseconds. */
  readonly longestPause: number;
  readonly errors: readonly string[];
}

const status = (): Promise<Status> => page.evaluate('cacheNow()');

/** A page of Signalbox's own origin, as the proxy has it. */
async function openPage(carriers: readonly Carrier['name'][]): Promise<void> {
  html = `<!doctype html><script>${bundle};${SCRIPT.replace('CARRIERS', JSON.stringify(carriers))}</script>`;
  context = await browser.newContext();
  page = await context.newPage();
  cdp = await context.newCDPSession(page);
  await page.goto(`http://127.0.0.1:${front.port}${PAGE}`);
}

/**
 * Nothing runs in the page until `Debugger.resume`. A page that is driven by a test counts as visible, so its lifecycle does not
 * let it be frozen; that it stood still is seen by its timers.
 */
async function freeze(): Promise<void> {
  await cdp.send('Debugger.enable');
  const paused = new Promise((resolvePaused) => cdp.once('Debugger.paused', resolvePaused));
  await cdp.send('Debugger.pause');
  await paused;
}

let count = 0;

/** So many changes; resolves with the revision of the last. */
async function write(changes: number): Promise<number> {
  let revision = 0;
  for (let i = 0; i < changes; i++) {
    const path = `/v1/regions/r-${++count % 7}`;
    const isDelete = count % 5 === 0;
    const { body } = await call(
      node.url,
      isDelete ? 'DELETE' : 'PUT',
      path,
      isDelete ? undefined : { title: `${count}` },
    );
    revision = Number(body.revision ?? revision);
  }
  return revision;
}

/** As the server says it to somebody who has nothing yet. */
async function digestOfServer(): Promise<{ revision: number; digest: string | undefined }> {
  const peer = LinkPeer.open(eventStreamCarrier({ fetch, now: () => performance.now() }), node.url);
  peer.subscribe({ kind: '*' });
  const { revision, digest } = await peer.next('synced');
  peer.link.close();
  return { revision, digest };
}

async function agrees(): Promise<Status> {
  const server = await digestOfServer();
  const is = await until(
    'the page to hold what the server has',
    async () => {
      const now = await status();
      return now.state === 'live' && now.revision === server.revision && now;
    },
    15_000,
  ).catch(async (error: Error) => {
    throw new Error(`${error.message}; it is ${JSON.stringify(await status())}, the server at ${server.revision}`);
  });
  expect(is.digest).toBe(server.digest);
  expect(is.told).not.toContain('mismatch');
  return is;
}

test.each<[Carrier['name']]>([['websocket'], ['event-stream'], ['long-poll']])(
  'PUSH5 PUSH8 a page keeps a cache live over %s, through a restart of the server',
  async (carrier) => {
    await write(3);
    await openPage([carrier]);
    await agrees();
    await write(5);
    await agrees();
    const { port } = node;
    await node.stop('SIGKILL');
    await until('the page to see it', async () => (await status()).state === 'stale');
    node = await startSignalbox({ env, port, readyWithin: 90_000 });
    await write(5);
    expect((await agrees()).told.slice(0, 2)).toEqual(['live', 'stale']);
  },
  120_000,
);

test.each<[Carrier['name']]>([['websocket'], ['event-stream']])(
  'PUSH5 PUSH8 a page over %s is right again after the laptop was closed: frozen, and its connection gone without a word',
  async (carrier) => {
    await write(3);
    await openPage([carrier]);
    await agrees();
    await freeze();
    proxy.lost = 'from';
    const writing = sleep(CLOSED_MS / 2).then(() => write(10));
    await sleep(CLOSED_MS);
    await writing;
    proxy.lost = undefined;
    await cdp.send('Debugger.resume');
    const { longestPause, told } = await agrees();
    expect(longestPause).toBeGreaterThan(CLOSED_MS * 0.9);
    expect(told.slice(0, 2)).toEqual(['live', 'stale']);
    await write(3);
    await agrees();
  },
  60_000,
);

test('PUSH5 PUSH8 a page whose page alone was frozen has missed nothing', async () => {
  await write(3);
  await openPage(['websocket', 'event-stream', 'long-poll']);
  await agrees();
  await freeze();
  await write(10);
  await sleep(CLOSED_MS);
  await cdp.send('Debugger.resume');
  expect((await agrees()).longestPause).toBeGreaterThan(CLOSED_MS * 0.9);
  await write(3);
  await agrees();
}, 60_000);

test('a connection that is gone without a word is noticed by a page that nobody touches', async () => {
  await openPage(['websocket', 'event-stream', 'long-poll']);
  await agrees();
  proxy.lost = 'from';
  await write(3);
  await until('the page to see it', async () => (await status()).state === 'stale', 10 * HEARTBEAT_MS);
  proxy.lost = undefined;
  await agrees();
}, 60_000);

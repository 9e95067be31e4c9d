import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { until } from '../acceptance/until.ts';
import { openChromium } from '../support/chromium.ts';
import { openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
let origin: string;
beforeAll(async () => {
  edge = await openFilledEdge();
  await edge.app.listen({ host: '127.0.0.1', port: 0 });
  origin = `http://127.0.0.1:${(edge.app.server.address() as AddressInfo).port}`;
});
afterAll(() => edge.app.close());

describe('the headers that browsers go by', () => {
  const PAGE = {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    'cross-origin-opener-policy': 'same-origin',
  };

  test.each(['/', '/docs', '/docs/static/swagger-ui.css', '/openapi.json', '/problems', '/problems/invalid'])(
    '%s has those of a page',
    async (url) => {
      const { headers, statusCode } = await edge.app.inject({ url, headers: { accept: 'text/html' } });
      expect(statusCode).toBe(200);
      expect(headers).toMatchObject(PAGE);
      expect(headers).not.toHaveProperty('strict-transport-security');
    },
  );

  test('so do problems, wherever they are met', async () => {
    for (const [url, status] of [
      ['/nope', 404],
      ['/v1/regions/none', 404],
      ['/v1/regions?x=1', 400],
      ['/v1/%', 400],
    ] as const) {
      const { headers, statusCode } = await edge.app.inject(url);
      expect([url, statusCode]).toEqual([url, status]);
      expect(headers).toMatchObject({ ...PAGE, 'cache-control': 'no-store' });
    }
  });

  test('what depends on who asks is kept by nobody, on any route', async () => {
    for (const { method, url, action } of edge.app.routeTable.entries) {
      if (method !== 'GET' || url === '/v1/watch') continue;
      const path = url
        .replace('/docs/static/*', '/docs/static/index.css')
        .replace(':instance', 'f'.repeat(24))
        .replaceAll(/:[a-zA-Z]+/g, 'us');
      const { headers } = await edge.app.inject(path);
      expect([url, headers['x-content-type-options']]).toEqual([url, 'nosniff']);
      const kept = action === 'docs.read';
      expect([url, kept || headers['cache-control'] === 'no-store']).toEqual([url, true]);
    }
  });
});

describe('in a real browser', () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  beforeAll(async () => {
    browser = await openChromium();
    page = await browser.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) elsewhere.push(request.url());
    });
    // As text: what runs in the browser is not this program's.
    await page.addInitScript({
      content: `addEventListener('securitypolicyviolation', (event) => {
        console.error('violates ' + event.violatedDirective + ': ' + event.blockedURI);
      })`,
    });
  }, 120_000);
  afterAll(() => browser?.close());

  test('the documentation is rendered and tries requests under its policy, without one complaint', async () => {
    await page.goto(`${origin}/docs`);
    const groups = page.locator('.opblock-tag');
    await groups.first().waitFor();
    for (const group of await groups.all()) await group.click();
    expect(await page.locator('.opblock').count()).toBeGreaterThan(20);
    const operation = page.locator('[id$="-ListRegions"]').first();
    await operation.locator('.opblock-summary-control').click();
    // Trying is on by default, so that there is a button to send at once.
    await operation.locator('button.execute').click();
    await operation.locator('.live-responses-table .response-col_status').first().waitFor();
    expect(await operation.locator('.live-responses-table tbody .response-col_status').first().innerText()).toContain(
      '200',
    );
    expect(await operation.locator('.live-responses-table').innerText()).toContain('"revision": 1');
    expect({ complaints, elsewhere }).toEqual({ complaints: [], elsewhere: [] });
  }, 60_000);

  test('the first page is a page, and its links lead somewhere', async () => {
    await page.goto(`${origin}/`);
    const links = await page.locator('a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
    expect(links).toContain('/docs');
    expect({ complaints, elsewhere }).toEqual({ complaints: [], elsewhere: [] });
  });

  test('a script that got into a page would not run, and no page shows Signalbox in a frame', async () => {
    await page.goto(`${origin}/`);
    await page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'document.title = "taken over"';
      document.body.append(script);
    }`);
    expect(await page.title()).toBe('Signalbox');
    expect(complaints.splice(0).join('\n')).toMatch(/script-src/);

    await page.setContent(`<iframe src="${origin}/docs"></iframe>`);
    const shown = (): string => page.frames().at(-1)?.url() ?? '';
    await until('the browser refuses', () => shown().startsWith('chrome-error:'));
    complaints.length = 0;
  });
});

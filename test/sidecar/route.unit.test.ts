import { expect, test } from '@jest/globals';
import { route, tableOf, type Headers, type PrefixRoute, type Route } from '../../src/sidecar/egress/route.ts';

const PREFIXES: readonly PrefixRoute[] = [
  { prefix: '/orders', service: 'orders.example.com', strip: true },
  { prefix: '/orders/v2', service: 'orders.example.com', version: 'v2', environment: 'test', strip: true },
  { prefix: '/pay', service: 'pay.example.com', protocol: 'https', strip: false },
];
const BASE = { byHeader: true, environment: 'prod', allowedUrls: new Set(['https://legacy.example.com']) };

const to = (target: string, headers: Headers = {}, table = tableOf(PREFIXES, BASE)): Route =>
  route(target, headers, table);
const code = (found: Route): string =>
  found.type === 'refused' ? `${found.refusal.status} ${found.refusal.code}` : found.type;

test('the longest prefix wins, and stands for whole segments alone', () => {
  const orders = { service: 'orders.example.com' };
  expect(to('/orders/17?x=/orders/v2')).toEqual({ type: 'service', selection: orders, path: '/17?x=/orders/v2' });
  expect(to('/orders')).toMatchObject({ selection: orders, path: '/' });
  expect(to('/orders?x=1')).toMatchObject({ selection: orders, path: '/?x=1' });
  expect(to('/orders/v2/17')).toMatchObject({
    selection: { ...orders, version: 'v2', environment: 'test' },
    path: '/17',
  });
  expect(to('/orders/v21')).toMatchObject({ selection: orders, path: '/v21' });
  expect(to('/pay/now')).toMatchObject({
    selection: { service: 'pay.example.com', protocol: 'https' },
    path: '/pay/now',
  });
  expect(code(to('/ordersx'))).toBe('404 no-route');
});

test('what fits no prefix is told which routes there are', () => {
  const found = to('/');
  expect(found).toMatchObject({
    refusal: { more: { routes: expect.arrayContaining([{ prefix: '/pay', service: 'pay.example.com' }]) } },
  });
  const everything = tableOf([{ prefix: '/', service: 'web.example.com', strip: true }], BASE);
  expect(to('/any/path', {}, everything)).toMatchObject({ path: '/any/path' });
});

test('a header names the service before the path does, and the environment too', () => {
  const service = 'pay.example.com';
  expect(to('/orders/1', { service_id: service })).toMatchObject({
    selection: { service, environment: 'prod' },
    path: '/orders/1',
  });
  expect(to('/x', { 'service-id': service, 'env-tag': 'test' })).toMatchObject({
    selection: { service, environment: 'test' },
  });
  expect(to('/orders/v2/1', { env_tag: 'prod' })).toMatchObject({ selection: { environment: 'prod' } });
});

test('headers that leave it open what is meant are refused', () => {
  expect(code(to('/x', { service_id: 'a.example.com', 'service-id': 'b.example.com' }))).toBe('400 two-services');
  expect(code(to('/x', { service_id: 'a.example.com, b.example.com' }))).toBe('400 two-services');
  expect(code(to('/x', { service_id: 'a.example.com', env_tag: 'a b' }))).toBe('400 bad-service');
  for (const service_id of ['', '../etc', 'A.example.com', 'a/b', 'a'.repeat(300)]) {
    expect(code(to('/x', { service_id }))).toBe('400 bad-service');
  }
});

test('headers route nothing where they are turned off', () => {
  const table = tableOf(PREFIXES, { ...BASE, byHeader: false });
  expect(code(to('/orders', { service_id: 'pay.example.com' }, table))).toBe('403 headers-off');
  expect(code(to('/orders', { env_tag: 'test' }, table))).toBe('400 bad-service');
  expect(code(to('/orders', {}, table))).toBe('service');
});

test('SEC4 a caller can name no address that is neither allowed nor to be looked up among instances', () => {
  expect(to('/x', { service_url: 'https://legacy.example.com' })).toEqual({
    type: 'address',
    url: 'https://legacy.example.com',
    path: '/x',
  });
  expect(to('/x', { service_id: 'a.example.com', service_url: 'http://10.0.0.1:80/' })).toMatchObject({
    url: 'http://10.0.0.1',
  });
  expect(code(to('/x', { service_url: 'http://10.0.0.1' }))).toBe('403 service-url-not-allowed');
  expect(code(to('/x', { service_url: 'http://legacy.example.com' }))).toBe('403 service-url-not-allowed');
  for (const service_url of ['gopher://x', 'http://a@b', 'http://a/b', 'http://a?b', 'x', 'unix:/run/docker.sock']) {
    expect(code(to('/x', { service_url }))).toBe('400 bad-service-url');
  }
  for (const target of ['http://10.0.0.1/', '*', '', 'x', '//']) {
    expect(code(to(target))).toMatch(/^40[04] /);
  }
});

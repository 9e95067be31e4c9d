import { expect, test } from '@jest/globals';
import { DiscoveredService, type Ejected } from '../../../src/sdk/discovery/discovered-service.ts';
import { settingsOf } from '../../../src/sdk/discovery/settings.ts';
import { instance, TestSource } from './support.ts';

function discovered() {
  const source = new TestSource();
  const service = new DiscoveredService('orders.example.com', source, settingsOf({}, {}), {
    now: () => 0,
    random: () => 0,
    addresses: new Set(),
    log: { info: () => {}, error: () => {} },
  });
  return { source, service };
}

test('an instance is found by its address, written as an origin too', () => {
  const { source, service } = discovered();
  expect(() => service.endpointAt('http://10.0.0.1:8080')).toThrow(expect.objectContaining({ code: 'not-ready' }));
  const web = instance(2, { port: 80 });
  const six = instance(3, { address: 'fd00::7', protocol: 'https', port: 443 });
  source.holds([instance(1), web, six]);
  expect(service.endpointAt('http://10.0.0.1:8080')?.instance).toEqual(instance(1));
  expect(service.endpointAt('http://10.0.0.2')?.instance).toBe(web);
  expect(service.endpointAt('https://[fd00::7]')?.instance).toBe(six);
  for (const url of ['http://10.0.0.1', 'https://10.0.0.1:8080', 'http://10.0.0.4:8080', 'no address']) {
    expect(service.endpointAt(url)).toBeUndefined();
  }
});

test('who is left out is told to those who listen, and can still be named', () => {
  const { source, service } = discovered();
  source.holds([1, 2, 3, 4].map((n) => instance(n)));
  const told: Ejected[] = [];
  const stop = service.onEjected((ejected) => told.push(ejected));
  const [one, two] = [1, 2].map((n) => service.endpointAt(`http://10.0.0.${n}:8080`));
  const fail = (endpoint = one): void => {
    for (let n = 0; n < 5; n++) {
      endpoint?.begin();
      endpoint?.end('failed', 1);
    }
  };
  fail(one);
  expect(told).toEqual([{ endpoint: one, forMs: 30_000 }]);
  expect(service.endpointAt('http://10.0.0.1:8080')).toBe(one);
  stop();
  fail(two);
  expect(told).toHaveLength(1);
});

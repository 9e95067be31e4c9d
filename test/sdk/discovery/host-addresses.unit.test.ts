import { hostname, networkInterfaces } from 'node:os';
import { expect, test } from '@jest/globals';
import { hostAddresses } from '../../../src/sdk/discovery/host-addresses.ts';

test('the addresses of all interfaces, and the names of the host', () => {
  const interfaces = {
    lo: [{ address: '127.0.0.1' }, { address: '::1' }],
    eth0: [{ address: '10.1.2.3' }],
    down: undefined,
  };
  expect([...hostAddresses(interfaces, 'box')]).toEqual(['localhost', 'box', '127.0.0.1', '::1', '10.1.2.3']);
});

test('this host is on loopback', () => {
  expect([...hostAddresses(networkInterfaces(), hostname())]).toContain('127.0.0.1');
});

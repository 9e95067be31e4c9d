import { expect, test } from '@jest/globals';
import { createServer, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { once } from 'node:events';
import { reachable, registrationBody } from '../../../src/sdk/registration/body.ts';
import { ownAddress } from '../../../src/sdk/registration/own-address.ts';
import { portOf } from '../../../src/sdk/registration/port-of.ts';

const URL = 'http://127.0.0.1:4400';

test('the address is the pod’s, else the host’s, else that of the route to Signalbox', async () => {
  expect(await ownAddress({ POD_IP: '10.1.2.3', STATUS_HOST_IP: '10.9.9.9' }, URL)).toBe('10.1.2.3');
  expect(await ownAddress({ POD_IP: '', STATUS_HOST_IP: '10.9.9.9' }, URL)).toBe('10.9.9.9');
  expect(await ownAddress({}, URL)).toBe('127.0.0.1');
  expect(await ownAddress({}, 'http://[::1]:4400')).toBe('127.0.0.1');
  const own = Object.values(networkInterfaces()).flatMap((all) => all?.filter(({ internal }) => !internal) ?? []);
  for (const { address, family } of own.filter((each) => !/^fe80:/i.test(each.address))) {
    expect(await ownAddress({}, `http://${family === 'IPv6' ? `[${address}]` : address}:4400`)).toBe(address);
  }
});

test('it is loopback only where Signalbox is, and not found out where nobody can tell', async () => {
  const named = (address: string) => () => Promise.resolve({ address, family: isIP(address) });
  for (const address of ['127.0.0.1', '127.1.2.3', '::1']) {
    expect(await ownAddress({}, 'http://signalbox.local', named(address))).toBe('127.0.0.1');
  }
  const unknown = () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'EAI_AGAIN' }));
  await expect(ownAddress({}, 'https://signalbox.example.com', unknown)).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringMatching(/no route to signalbox\.example\.com was found \(EAI_AGAIN\).*POD_IP/),
  });
  // Documentation addresses (RFC 5737, RFC 3849): there is a route, or there is none.
  for (const address of ['192.0.2.1', '2001:db8::1']) {
    const found = await ownAddress({}, 'http://signalbox.example.com', named(address)).catch(
      ({ code }: { code: unknown }) => code,
    );
    expect(found).not.toMatch(/^127\.|^::1$/);
  }
});

test('an address that means "wherever I am" is refused, however it is written', () => {
  for (const address of ['0.0.0.0', '::', '[::]', '0:0:0:0:0:0:0:0', '::0', '::ffff:0.0.0.0', '', ' ', '[]']) {
    expect(() => reachable(address)).toThrow(/where a server listens and nobody can call|is empty/);
  }
  expect(() => reachable('0.0.0.0')).toThrow(/address is 0\.0\.0\.0, where a server listens and nobody can call/);
  for (const address of ['10.0.0.0', '0.0.0.1', '::1', '100::', 'orders.internal', '2001:db8::']) {
    expect(reachable(address)).toBe(address);
  }
  expect(reachable('[2001:db8::7]')).toBe('2001:db8::7');
});

test('the port is known once a server listens', async () => {
  const server = createServer();
  expect(() => portOf(server)).toThrow(/does not listen yet/);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  expect(portOf(server)).toBeGreaterThan(0);
  server.close();
  expect(() => portOf({ address: () => '/tmp/pipe' })).toThrow(/has no port/);
});

test('what is not said has a default, and what makes no sense is said', () => {
  expect(registrationBody({ service: 'a.b', port: 80, region: undefined as never }, '10.0.0.1', 'prod')).toEqual({
    service: 'a.b',
    port: 80,
    protocol: 'http',
    address: '10.0.0.1',
    environment: 'prod',
    check: { type: 'ttl', ttl: '15s' },
  });
  const own = { service: 'a.b', port: 80, environment: 'dev', check: { type: 'http', path: '/h' } } as const;
  expect(registrationBody(own, '10.0.0.1', 'prod')).toMatchObject({
    environment: 'dev',
    check: { type: 'http', path: '/h' },
  });
  for (const port of [0, 65_536, 1.5, Number.NaN]) {
    expect(() => registrationBody({ service: 'a.b', port }, '10.0.0.1')).toThrow(/portOf\(server\)/);
  }
});

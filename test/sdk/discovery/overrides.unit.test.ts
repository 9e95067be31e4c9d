import { describe, expect, test } from '@jest/globals';
import { overrideSource } from '../../../src/sdk/discovery/override-source.ts';
import { overrideOf, overrideVariables } from '../../../src/sdk/discovery/overrides.ts';

const ID = 'orders.example.com';

const hrefs = (...args: Parameters<typeof overrideOf>): string[] | undefined =>
  overrideOf(...args)?.urls.map(({ href }) => href);

describe('where an override is written', () => {
  test('the variables of a service, the longer one first', () => {
    expect(overrideVariables(ID)).toEqual(['ORDERS_EXAMPLE_COM_URL', 'ORDERS_URL']);
    expect(overrideVariables('order-items')).toEqual(['ORDER_ITEMS_URL']);
  });

  test("Signalbox's own address overrides no service", () => {
    expect(overrideVariables('signalbox.example.com')).toEqual(['SIGNALBOX_EXAMPLE_COM_URL']);
    expect(overrideOf('signalbox', {}, { SIGNALBOX_URL: 'http://127.0.0.1:4400' })).toBeUndefined();
  });

  test('options before the environment, the longer variable before the shorter', () => {
    const env = { ORDERS_URL: 'http://short:1', ORDERS_EXAMPLE_COM_URL: 'http://long:1' };
    expect(hrefs(ID, {}, { ORDERS_URL: 'http://short:1' })).toEqual(['http://short:1/']);
    expect(hrefs(ID, {}, env)).toEqual(['http://long:1/']);
    expect(hrefs(ID, { [ID]: 'http://option:1' }, env)).toEqual(['http://option:1/']);
    expect(hrefs(ID, { other: 'http://option:1' }, {})).toBeUndefined();
    expect(hrefs('constructor', {}, {})).toBeUndefined();
  });

  test('an empty variable is none', () => {
    expect(overrideOf(ID, {}, { ORDERS_URL: ' ' })).toBeUndefined();
  });
});

test('one URL, several in one text, or a list', () => {
  const both = ['http://localhost:3000/', 'http://localhost:3001/'];
  expect(hrefs(ID, {}, { ORDERS_URL: 'http://localhost:3000, http://localhost:3001' })).toEqual(both);
  expect(hrefs(ID, { [ID]: ['http://localhost:3000', 'http://localhost:3001'] }, {})).toEqual(both);
});

test.each([
  ['localhost:3000', 'which is no URL'],
  ['http://localhost:3000,', 'has "", which is no URL'],
  ['http://localhost:99999', 'which is no URL'],
  ['nonsense', 'which is no URL'],
  ['http://user:secret@localhost:3000', 'has a user name or a password'],
  ['http://user:secret@localhost:99999', '"http://…@localhost:99999"'],
  ['http://localhost:3000/base', 'more than a scheme, a host and a port'],
  ['http://localhost:3000?x', 'more than a scheme, a host and a port'],
  ['grpc://localhost', 'without a port'],
])('%s is a clear error', (value, message) => {
  let error: unknown;
  try {
    overrideOf(ID, {}, { ORDERS_URL: value });
  } catch (caught) {
    error = caught;
  }
  expect(error).toMatchObject({ code: 'invalid-options', message: expect.stringContaining(message) });
  expect((error as Error).message).toMatch(/^ORDERS_URL /);
  expect((error as Error).message).not.toContain('secret');
});

test('an empty list is an error that names the option', () => {
  expect(() => overrideOf(ID, { [ID]: [] }, {})).toThrow('overrides["orders.example.com"] is empty');
});

test('as a source it is complete and current at once, until it is closed', async () => {
  const override = overrideOf(ID, { [ID]: 'https://a.test,http://[::1]:3000,grpc://b:50051,https://a.test:443' }, {});
  const source = overrideSource(ID, override as NonNullable<typeof override>);
  await source.ready();
  expect(source).toMatchObject({ state: 'live', age: 0 });
  expect(source.instances?.map(({ protocol, address, port }) => [protocol, address, port])).toEqual([
    ['https', 'a.test', 443],
    ['http', '::1', 3000],
    ['grpc', 'b', 50_051],
  ]);
  source.close();
  expect(source.state).toBe('closed');
});

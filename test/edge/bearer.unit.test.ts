import { expect, test } from '@jest/globals';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { bearerToken } from '../../src/edge/bearer.ts';

const read = (socket: object, headers: IncomingHttpHeaders): string | undefined =>
  bearerToken({ socket, headers } as unknown as Pick<IncomingMessage, 'socket' | 'headers'>);

test('SEC1 each request is read by its own header, whatever came over the connection before', () => {
  const [one, other] = [{}, {}];
  expect(read(one, { authorization: 'Bearer aaa' })).toBe('aaa');
  expect(read(one, { authorization: 'Bearer aaa' })).toBe('aaa');
  expect(read(one, { authorization: 'Bearer bbb' })).toBe('bbb');
  expect(read(one, {})).toBeUndefined();
  expect(read(one, { authorization: 'Basic bbb' })).toBeUndefined();
  expect(read(one, { authorization: 'bearer  aaa ' })).toBe('aaa');
  expect(read(other, { authorization: 'Bearer ccc' })).toBe('ccc');
  expect(read(other, { authorization: 'Bearer ccc, Bearer ddd' })).toBeUndefined();
  expect(read(other, { authorization: 'Bearer ddd', upgrade: 'websocket' })).toBe('ddd');
  expect(read(other, { authorization: 'Bearer ccc' })).toBe('ccc');
});

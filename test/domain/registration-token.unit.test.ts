import { expect, test } from '@jest/globals';
import { crc32 } from 'node:zlib';
import {
  DEFAULT_LIFE_MS,
  expiryOf,
  readRegistrationToken,
  registrationTokenText,
} from '../../src/domain/registration-token.ts';

const ID = '0123456789abcdef01234567';
const SECRET = 'f0'.repeat(32);
const TOKEN = registrationTokenText(ID, SECRET);

test('a registration token is taken apart into what it was made of', () => {
  expect(TOKEN).toMatch(/^sbr_[0-9a-f]{24}_[0-9a-f]{72}$/);
  expect(readRegistrationToken(TOKEN)).toEqual({ id: ID, secret: SECRET });
});

test('its checksum is the CRC-32 that scanners know', () => {
  const sum = crc32(TOKEN.slice(0, -8)).toString(16).padStart(8, '0');
  expect(TOKEN.slice(-8)).toBe(sum);
});

test.each<[what: string, text: string]>([
  ['nothing', ''],
  ['a JWT', 'a.b.c'],
  ['one that was cut off', TOKEN.slice(0, -1)],
  ['one with something behind it', `${TOKEN}0`],
  ['one in capitals', TOKEN.toUpperCase()],
  ['one with another digit', TOKEN.replace('_f0', '_f1')],
  ['one with another id', TOKEN.replace('sbr_0', 'sbr_1')],
  ['one of another sort', TOKEN.replace('sbr_', 'sbx_')],
  ['one with a line break', `${TOKEN}\n`],
])('%s is no registration token', (_what, text) => {
  expect(readRegistrationToken(text)).toBeUndefined();
});

const AT = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

test('a token is good for 90 days, or as long as is asked for', () => {
  expect(expiryOf({}, AT, YEAR)).toBe(AT + DEFAULT_LIFE_MS);
  expect(expiryOf({}, AT, HOUR)).toBe(AT + HOUR);
  expect(expiryOf({ ttl: '1m' }, AT, HOUR)).toBe(AT + 60_000);
  expect(expiryOf({ ttl: '1h' }, AT, HOUR)).toBe(AT + HOUR);
  expect(expiryOf({ expireTime: '2026-01-01T02:00:00+01:00' }, AT, YEAR)).toBe(AT + HOUR);
});

test.each<[asked: { ttl?: string; expireTime?: string }, pointer: string, detail: string]>([
  [{ ttl: '59s' }, '/ttl', 'must be from 1m to 1h from now (REGISTRATION_TOKEN_MAX_AGE)'],
  [{ ttl: '61m' }, '/ttl', 'must be from 1m to 1h'],
  [{ expireTime: '2025-12-31T00:00:00Z' }, '/expireTime', 'must be from 1m'],
  [{ expireTime: '2027-01-01T00:00:00Z' }, '/expireTime', 'must be from 1m'],
  [{ expireTime: 'soon' }, '/expireTime', 'must be from 1m'],
  [{ ttl: '5m', expireTime: '2026-01-01T00:30:00Z' }, '/expireTime', 'leave one of them out'],
])('%j is refused', (asked, pointer, detail) => {
  expect(expiryOf(asked, AT, HOUR)).toEqual({ pointer, detail: expect.stringContaining(detail) });
});

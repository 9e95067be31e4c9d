import { parseDuration, type Duration } from './duration.ts';
import type { FieldError } from './errors.ts';

/** A registration token as it is kept: whoever has its secret registers and renews instances of its service. */
export interface RegistrationToken {
  /** 24 hexadecimal digits. */
  readonly id: string;
  readonly service: string;
  readonly title?: string;
  /** SHA-256 of the secret's text, in hex; the secret itself is kept nowhere. */
  readonly hash: string;
  /** Who made it, as the identity provider names them. */
  readonly createdBy: string;
  /** Milliseconds since 1970, as the others. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revokedAt?: number;
}

export const REGISTRATION_TOKEN_ID = '^[0-9a-f]{24}$';
export const REGISTRATION_TOKEN_PREFIX = 'sbr_';
/** How many random bytes go into an id and into a secret. */
export const ID_BYTES = 12;
export const SECRET_BYTES = 32;

const FORM = /^sbr_([0-9a-f]{24})_([0-9a-f]{64})([0-9a-f]{8})$/;

/**
 * What the bearer shows: `sbr_`, the id, `_`, the secret and a checksum, all in hex. The checksum tells scanners for
 * leaked secrets, and us, that it is one, without asking anybody.
 */
export const registrationTokenText = (id: string, secret: string): string => {
  const text = `${REGISTRATION_TOKEN_PREFIX}${id}_${secret}`;
  return text + checksum(text);
};

/** Takes a token apart; `undefined` when it is none, or has been cut off or mistyped. */
export function readRegistrationToken(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret, sum] = FORM.exec(text) ?? [];
  if (id === undefined || secret === undefined || sum !== checksum(text.slice(0, -8))) return undefined;
  return { id, secret };
}

/** CRC-32 as zip has it, in hex. */
function checksum(text: string): string {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, '0');
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** So long a token is good when nothing is said about it. */
export const DEFAULT_LIFE_MS = 90 * DAY_MS;
export const SHORTEST_LIFE_MS = MINUTE_MS;

/** Until when a new token is good, in milliseconds since 1970, or what is wrong with what was asked for. */
export function expiryOf(
  { ttl, expireTime }: { readonly ttl?: Duration; readonly expireTime?: string },
  at: number,
  maxLifeMs: number,
): number | FieldError {
  if (ttl !== undefined && expireTime !== undefined)
    return { pointer: '/expireTime', detail: 'says the same as ttl; leave one of them out' };
  const pointer = expireTime === undefined ? '/ttl' : '/expireTime';
  const asked = ttl === undefined ? Math.min(DEFAULT_LIFE_MS, maxLifeMs) : (parseDuration(ttl) ?? Number.NaN);
  const until = expireTime === undefined ? at + asked : Date.parse(expireTime);
  if (until - at >= SHORTEST_LIFE_MS && until - at <= maxLifeMs) return until;
  const hours = Math.floor(maxLifeMs / (60 * MINUTE_MS));
  return { pointer, detail: `must be from 1m to ${hours}h from now (REGISTRATION_TOKEN_MAX_AGE)` };
}

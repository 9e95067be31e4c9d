import { createHash } from 'node:crypto';
import type { Issuer } from './issuer.ts';

/**
 * A hash of what decides whom an issuer makes of people: as long as it is the same, so are the rights that a session was
 * given. `kind` keeps the embedded provider apart from an issuer that is configured to look like it.
 */
export function issuerMark({ login, ...rights }: Issuer, kind: 'embedded' | 'configured'): string {
  // Of the login only what says whose tokens are taken: a secret that is renewed makes nobody somebody else.
  const signIn = login && { clientId: login.clientId, token: login.token };
  return createHash('sha256')
    .update(JSON.stringify([kind, ordered(rights), signIn]))
    .digest('hex');
}

/** Members in one order, whatever order they were written in. */
function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, ordered(member)]);
}

/** The mark of an issuer that is configured now, by its URL; `undefined` for any other. */
export type MarkOf = (issuer: string) => string | undefined;

import type { Identity } from './identity.ts';

/** What a session holds, beside when it ends. */
export interface SessionData {
  readonly identity: Identity;
  readonly issuer: string;
  /** Of the issuer's configuration when they signed in (`issuerMark`). */
  readonly mark?: string;
  /** What the issuer calls them, for people to read. */
  readonly name?: string;
  /** When the token that says who they are ends, and when the session does at the latest (milliseconds since 1970). */
  readonly tokenEndsAt: number;
  readonly endsAt: number;
  readonly refreshToken?: string;
  /** Shown to the issuer at logging out. */
  readonly idToken?: string;
}

/** What an issuer has said about who signed in. */
export type SignedIn = Omit<SessionData, 'endsAt' | 'issuer' | 'mark'>;

/** When a session ends if nobody uses it any more: what was not renewed by then was not used, or cannot be. */
export function endOf({ tokenEndsAt, endsAt, refreshToken }: SessionData, usedAt: number, idleMs: number): number {
  const end = Math.min(usedAt + idleMs, endsAt);
  return refreshToken === undefined ? Math.min(end, tokenEndsAt) : end;
}

const EARLY_MS = 60_000;
const EARLY_SHARE = 0.2;

/** Tokens are renewed a little before they end, so that nobody waits for it and an issuer may be away for a moment. */
export const isDue = ({ tokenEndsAt, refreshToken }: SessionData, renewedAt: number, now: number): boolean =>
  refreshToken !== undefined &&
  now >= tokenEndsAt - Math.min(EARLY_MS, Math.max(0, tokenEndsAt - renewedAt) * EARLY_SHARE);

import type { Identity } from './identity.ts';

/** What a verified credential is worth. */
export interface Grant {
  readonly identity: Identity;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Until it expires, or is withdrawn. */
  holds(at: number): boolean;
}

export type Verified =
  | { readonly ok: true; readonly grant: Grant }
  /** `away`: nothing can be said about it now. `detail` begins in lower case and has no full stop. */
  | { readonly ok: false; readonly away: boolean; readonly detail: string };

/** Knows one sort of credential. */
export interface Verifier {
  /** Answers at once where it can. */
  verify(credential: string): Verified | Promise<Verified>;
  /** Whether that would ask no database; without it, it never does. */
  knows?(credential: string): boolean;
}

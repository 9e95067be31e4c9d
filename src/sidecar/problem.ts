import { UNSENT_HEADER } from '../sdk/calling/retry.ts';

/** What the sidecar answers itself, as problem+json (RFC 9457): what is wrong, and what to do about it. */
export interface Refusal {
  readonly status: number;
  /** Stable, kebab-case. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly retryAfterS?: number;
  /** Nobody but the sidecar has received anything of the request. */
  readonly unsent?: boolean;
  /** Further members, such as the routes there are. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export function problemBody({ status, code, title, detail, more }: Refusal): string {
  return JSON.stringify({ type: `/problems/sidecar/${code}`, title, status, detail, ...more });
}

export const problemHeaders = ({ retryAfterS, unsent }: Refusal): Record<string, string> => ({
  'content-type': 'application/problem+json',
  'cache-control': 'no-store',
  ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
  ...(unsent === true && { [UNSENT_HEADER]: 'true' }),
});

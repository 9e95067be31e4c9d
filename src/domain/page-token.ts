import type { SortKey, SortValue } from './order-by.ts';

/** What a page token belongs to: everything that decides which items a list has and in which order. */
export interface TokenQuery {
  /** The path of the list, such as `services/-/deployments`. */
  readonly collection: string;
  readonly filter: string;
  readonly orderBy: string;
}

const VERSION = 1;
const MAX_LENGTH = 8192;

/** Opaque to clients; holds the sort key of the last item of a page and a hash of the query. */
export function encodePageToken(query: TokenQuery, last: SortKey): string {
  const bytes = new TextEncoder().encode(JSON.stringify([VERSION, hashOf(query), last.name, ...last.values]));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** `broken`: not a token of this server. `other-query`: one of another collection, filter or order. */
export function decodePageToken(query: TokenQuery, token: string, keys: number): SortKey | 'broken' | 'other-query' {
  const parts = read(token);
  if (parts === undefined) return 'broken';
  const [version, hash, name, ...values] = parts;
  if (version !== VERSION || typeof name !== 'string') return 'broken';
  if (hash !== hashOf(query)) return 'other-query';
  return values.length === keys && values.every(isSortValue) ? { values, name } : 'broken';
}

function read(token: string): unknown[] | undefined {
  if (token.length > MAX_LENGTH) return undefined;
  try {
    const binary = atob(token.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isSortValue = (value: unknown): value is SortValue => value === null || typeof value !== 'object';

/** FNV-1a, 32 bits, over code units: it finds mistakes and is no protection, which a page needs none of. */
function hashOf({ collection, filter, orderBy }: TokenQuery): number {
  const text = JSON.stringify([collection, filter, orderBy]);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

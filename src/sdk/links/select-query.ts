import type { Labels } from '../../domain/resources.ts';
import type { Select } from '../../protocol/frames.ts';

export type SelectQuery =
  { readonly ok: true; readonly query: URLSearchParams } | { readonly ok: false; readonly why: string };

const LISTS = ['services', 'regions', 'environments', 'protocols', 'versions'] as const;
const PAIRS = ['labels', 'tags'] as const;

/** A selection as the query of a URL. Commas separate there, and spaces around a pair are lost, so not everything can be said. */
export function queryOf(select: Select): SelectQuery {
  const query = new URLSearchParams({ kind: select.kind });
  for (const filter of LISTS) {
    const values = select[filter];
    if (values === undefined) continue;
    if (values.some((value) => value.includes(','))) return cannot(filter);
    query.set(filter, values.join(','));
  }
  for (const filter of PAIRS) {
    const pairs = select[filter];
    if (pairs === undefined) continue;
    if (!canBeSaid(pairs)) return cannot(filter);
    query.set(
      filter,
      Object.entries(pairs)
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    );
  }
  if (select.passing !== undefined) query.set('passing', String(select.passing));
  return { ok: true, query };
}

const canBeSaid = (pairs: Labels): boolean =>
  Object.entries(pairs).every((pair) => pair.every((text) => !text.includes(',') && text === text.trim()));

const cannot = (filter: string): SelectQuery => ({
  ok: false,
  why: `/select/${filter} has a value with a comma or a space at its end, which only a WebSocket can ask for`,
});

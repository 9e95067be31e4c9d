import type { IncomingHttpHeaders } from 'node:http';
import type { CatalogCommand } from '../domain/command.ts';
import { badHeader, Problem } from '../protocol/problem.ts';

/** What `If-Match` or `If-None-Match` of a write expects of the resource. Throws a `Problem`. */
export function expectationOf(headers: IncomingHttpHeaders): Pick<CatalogCommand, 'expect'> {
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (match !== undefined && noneMatch !== undefined) {
    throw new Problem('invalid', 'If-Match and If-None-Match exclude each other; send one of them.');
  }
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*') return { expect: 'absent' };
    throw badHeader('If-None-Match', 'of a write must be *, which means that the resource must not exist');
  }
  if (match === undefined) return {};
  if (match.trim() === '*') return { expect: '*' };
  const revision = /^\s*"([0-9]{1,15})"\s*$/.exec(match)?.[1];
  if (revision !== undefined) return { expect: Number(revision) };
  throw badHeader('If-Match', 'must be * or the ETag of the resource: its revision in double quotes, such as "42"');
}

/** Whether a reader already has this revision. Weak comparison, as RFC 9110 asks for here. */
export function isFresh(ifNoneMatch: string, revision: number): boolean {
  return ifNoneMatch.split(',').some((tag) => {
    const text = tag.trim();
    return text === '*' || text === `"${revision}"` || text === `W/"${revision}"`;
  });
}

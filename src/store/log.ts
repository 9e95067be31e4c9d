import { decodeChanges } from '../domain/codec.ts';
import type { Entry } from '../domain/item.ts';
import type { Position } from '../domain/position.ts';
import { wholeNumber, type Database } from './database.ts';

interface LogRow {
  revision: bigint;
  at: Date;
  author: string;
  changes: string;
}

/**
 * The entries above `revision`. When the first one is not `revision + 1`, the log was trimmed past the reader, or `epoch` is over: one
 * statement finds out both, so that a restore cannot come between.
 * The sum runs over `bytes` alone: an entry that does not fit is never read out of the table.
 */
export async function changesSince(
  { prisma }: Database,
  { epoch, revision }: Position,
  limit: { entries: number; bytes: number },
): Promise<Entry[]> {
  const rows = await prisma.$queryRaw<LogRow[]>`
    SELECT revision, at, author, changes::text AS changes
      FROM (SELECT *, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto,
                   row_number() OVER (ORDER BY revision) AS place
              FROM (SELECT * FROM change_log
                     WHERE revision > ${wholeNumber(revision)} AND EXISTS (SELECT FROM head WHERE epoch = ${epoch})
                     ORDER BY revision LIMIT ${wholeNumber(Math.max(1, limit.entries))}) AS above) AS measured
     WHERE place = 1 OR upto <= ${wholeNumber(limit.bytes)}
     ORDER BY revision`;
  return rows.map((row) => ({
    revision: Number(row.revision),
    at: row.at.getTime(),
    author: row.author,
    changes: decodeChanges(JSON.parse(row.changes)),
  }));
}

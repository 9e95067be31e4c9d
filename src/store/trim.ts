import { wholeNumber, type Database } from './database.ts';
import type { TrimPolicy } from './port.ts';

/** A step holds the row that commits need only after its deletions are done; the bounds keep those short. */
const STEP_ENTRIES = 1000;
const STEP_BYTES = 16 * 1024 * 1024;

/** Drops the oldest entries by policy, in steps that each leave `head.trimmed` true. */
export async function trim(db: Database, policy: TrimPolicy): Promise<void> {
  const last = await lastToGo(db, policy);
  if (last === undefined) return;
  for (;;) {
    const trimmed = await step(db, last);
    // Nothing: another node has trimmed as far meanwhile.
    if (trimmed === undefined || trimmed >= last) return;
  }
}

/**
 * What goes is a prefix: the entries before the first one that is young enough, and as many as it takes until the rest
 * fits into `maxBytes`. The newest entry always stays. How old is old says the clock of the server: those of nodes may be off. Both
 * are looked for from the oldest entry on, so the work is in proportion to what goes, but for one sum.
 */
async function lastToGo({ prisma }: Database, { maxAgeMs, maxBytes }: TrimPolicy): Promise<bigint | undefined> {
  const rows = await prisma.$queryRaw<{ last: bigint | null }[]>`
    SELECT least(newest - 1, greatest(
             coalesce((SELECT revision FROM change_log WHERE at >= oldest ORDER BY revision LIMIT 1) - 1, newest),
             (SELECT revision
                FROM (SELECT revision, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto
                        FROM change_log) AS measured
               WHERE excess > 0 AND upto >= excess ORDER BY revision LIMIT 1))) AS last
      FROM (SELECT max(revision) AS newest, sum(bytes) - ${wholeNumber(maxBytes)} AS excess,
                   to_timestamp(greatest(0, extract(epoch FROM clock_timestamp())::float8 - ${maxAgeMs}::float8 / 1000)) AS oldest
              FROM change_log) AS log`;
  return rows[0]?.last ?? undefined;
}

/** Readers see the deletion and the new `trimmed` together; the subqueries of the UPDATE run before it locks the row. */
async function step({ prisma }: Database, last: bigint): Promise<bigint | undefined> {
  const rows = await prisma.$queryRaw<{ trimmed: bigint }[]>`
    WITH bound AS (
      SELECT max(revision) AS revision
        FROM (SELECT revision, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto,
                     row_number() OVER (ORDER BY revision) AS place
                FROM (SELECT revision, bytes FROM change_log
                       WHERE revision <= ${last} ORDER BY revision LIMIT ${STEP_ENTRIES}) AS oldest) AS measured
       WHERE place = 1 OR upto <= ${STEP_BYTES}
    ), gone AS (
      DELETE FROM change_log WHERE revision <= (SELECT revision FROM bound) RETURNING revision
    )
    UPDATE head SET trimmed = (SELECT revision FROM bound)
     WHERE id = 1 AND trimmed < (SELECT revision FROM bound) AND (SELECT count(*) FROM gone) >= 0
    RETURNING trimmed`;
  return rows[0]?.trimmed;
}

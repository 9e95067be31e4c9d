import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { Database, StoreLog } from './database.ts';
import { sqlStateOf } from './failure.ts';

/**
 * Which database on which server, in which line of its history, this is. It differs after `pg_restore` into a new
 * database, on a logical replica, and, by the timeline, after a point-in-time recovery or the promotion of a standby.
 * A copy of the files that is put back in the same place keeps all three: that takes `newEpoch()`.
 */
const PARTS = [
  '(SELECT system_identifier::text FROM pg_control_system())',
  // Not pg_control_checkpoint(): after a promotion it tells the old timeline until the next checkpoint.
  'left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)',
  '(SELECT oid::text FROM pg_database WHERE datname = current_database())',
];

/** An expression that tells the birthplace with those functions that this role may call. */
export async function birthplaceExpression({ pool }: Pick<Database, 'pool'>): Promise<string> {
  const parts: string[] = [];
  for (const part of PARTS) parts.push((await isAllowed(pool, part)) ? part : `'?'`);
  return `concat_ws('/', ${parts.join(', ')})`;
}

/** Insufficient privilege, undefined function, feature not supported. */
const REFUSALS = new Set<unknown>(['42501', '42883', '0A000']);

async function isAllowed(pool: Database['pool'], expression: string): Promise<boolean> {
  try {
    await pool.query(`SELECT ${expression}`);
    return true;
  } catch (error) {
    if (REFUSALS.has(sqlStateOf(error))) return false;
    throw error;
  }
}

/** Makes the one row of `head` in an empty database. One that lost its head is damaged, and nobody should go on with it. */
export async function ensureHead(db: Database, birthplace: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO head (id, epoch, revision, trimmed, birthplace) SELECT 1, $1, 0, 0, ${birthplace}
      WHERE NOT EXISTS (SELECT FROM change_log) AND NOT EXISTS (SELECT FROM resource)
     ON CONFLICT DO NOTHING`,
    [randomUUID()],
  );
}

/**
 * Begins a new epoch where the history was begun in another place than this one. Nodes that find out at the same time
 * begin one new epoch between them, since only the first finds the old birthplace. Commits are safe throughout: they
 * name their epoch.
 */
export async function renewEpochIfMoved(
  client: Pick<PoolClient, 'query'>,
  birthplace: string,
  log: StoreLog,
): Promise<void> {
  const { rows } = await client.query<{ was: string; is: string }>(
    `SELECT birthplace AS was, ${birthplace} AS is FROM head WHERE id = 1`,
  );
  const [head] = rows;
  if (!head || head.was === head.is) return;
  const moved = await client.query(
    `UPDATE head SET epoch = $1, birthplace = ${birthplace} WHERE id = 1 AND birthplace = $2`,
    [randomUUID(), head.was],
  );
  if (moved.rowCount === 1) {
    log.warn(
      `the database was restored, copied or failed over (its history began in ${head.was}, this is ${head.is}): ` +
        'a new epoch begins, and every watcher starts over',
    );
  }
}

/** Begins a new epoch at the same revision, for a restore that cannot be detected. */
export async function newEpoch({ prisma }: Database): Promise<void> {
  await prisma.head.updateMany({ where: { id: 1 }, data: { epoch: randomUUID() } });
}

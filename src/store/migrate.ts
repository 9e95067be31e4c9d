import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';

/**
 * Applies prisma/migrations the way `prisma migrate deploy` does, without the native engine which that command has to
 * download: same layout, same bookkeeping table, same checksums, same lock. Prisma's own tools and this runner can be
 * used on one database in turn.
 *
 * It differs in one point. Each migration commits together with its bookkeeping row, so a crash or an error half-way
 * leaves nothing behind that somebody would have to mend by hand. A migration therefore holds no BEGIN or COMMIT of its
 * own, and nothing that PostgreSQL refuses inside a transaction (CREATE INDEX CONCURRENTLY).
 */
export async function migrate(pool: pg.Pool, dir: string, log?: MigrationLog): Promise<string[]> {
  const migrations = await readMigrations(dir);
  const client = await pool.connect();
  const applied: string[] = [];
  try {
    for (;;) {
      const name = await inTurn(() => applyNext(client, migrations));
      if (name === undefined) break;
      log?.info(`applied migration ${name}`);
      applied.push(name);
    }
    const unknown = await recordedButAbsent(client, migrations);
    if (unknown.length > 0) {
      log?.warn(`the database has migrations that this version of Signalbox does not know: ${unknown.join(', ')}`);
    }
  } finally {
    client.release();
  }
  return applied;
}

export interface MigrationLog {
  info(message: string): void;
  warn(message: string): void;
}

export class MigrationError extends Error {
  override name = 'MigrationError';
  /** A statement of a migration has failed. */
  readonly isOfStatement: boolean;

  constructor(message: string, { isOfStatement = false, ...options }: ErrorOptions & { isOfStatement?: boolean } = {}) {
    super(message, options);
    this.isOfStatement = isOfStatement;
  }
}

/** prisma/migrations of this package, whether the caller runs from src or from dist. */
export function migrationsDir(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) {
    const parent = dirname(dir);
    if (parent === dir)
      throw new MigrationError('no package.json above the running program: cannot find its migrations');
    dir = parent;
  }
  return join(dir, 'prisma', 'migrations');
}

interface Migration {
  name: string;
  sql: string;
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  // The names begin with a timestamp: their order is the order of creation.
  names.sort();
  return Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(join(dir, name, 'migration.sql'), 'utf8') })),
  );
}

// The number is Prisma's. Taken for the transaction rather than the session: it then ends with the transaction whatever
// happens to this process, and it does not leak into other connections where they share one session (PGlite).
const LOCK = 'SELECT pg_advisory_xact_lock(72707369)';
const LOCK_WAIT = '60s';
/**
 * While a migration waits for a table that others use, everybody after it waits too, the commits of the nodes that run among
 * them. So it does not wait for long, lets them pass, and tries again.
 */
const TABLE_WAIT = '1s';
const PAUSE_MS = 500;
const TABLE_TRIES = 60;

async function inTurn<T>(step: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await step();
    } catch (error) {
      const isBusy = error instanceof MigrationError && codeOf(error.cause) === '55P03' && error.isOfStatement;
      if (!isBusy || tries === TABLE_TRIES) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function applyNext(client: pg.PoolClient, migrations: Migration[]): Promise<string | undefined> {
  await client.query('BEGIN');
  try {
    await lock(client);
    const history = await readHistory(client);
    refuseIfUnsound(history, migrations);
    const done = new Set(history.map((row) => row.migration_name));
    const next = migrations.find((migration) => !done.has(migration.name));
    if (next) await apply(client, next);
    await client.query('COMMIT');
    return next?.name;
  } catch (error) {
    // A connection that is gone has rolled back already, and its error is less telling than the first one.
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function lock(client: pg.PoolClient): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`);
  try {
    await client.query(LOCK);
  } catch (error) {
    if (codeOf(error) !== '55P03') throw error;
    throw new MigrationError(`another process has been migrating this database for more than ${LOCK_WAIT}`, {
      cause: error,
    });
  }
}

async function apply(client: pg.PoolClient, { name, sql }: Migration): Promise<void> {
  await client.query(CREATE_HISTORY);
  const id = randomUUID();
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, applied_steps_count)
     VALUES ($1, $2, $3, clock_timestamp(), 1)`,
    [id, checksum(sql), name],
  );
  await client.query(`SET LOCAL lock_timeout = '${TABLE_WAIT}'`);
  try {
    await client.query(sql);
  } catch (error) {
    const message = `migration ${name} failed and was rolled back: ${messageOf(error)}`;
    throw new MigrationError(message, { cause: error, isOfStatement: true });
  }
  await client.query('UPDATE _prisma_migrations SET finished_at = clock_timestamp() WHERE id = $1', [id]);
}

interface HistoryRow {
  migration_name: string;
  checksum: string;
  finished: boolean;
}

async function readHistory(client: pg.PoolClient): Promise<HistoryRow[]> {
  const table = await client.query<{ present: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present`,
  );
  if (!table.rows[0]?.present) return [];
  const history = await client.query<HistoryRow>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`,
  );
  return history.rows;
}

async function recordedButAbsent(client: pg.PoolClient, migrations: Migration[]): Promise<string[]> {
  const known = new Set(migrations.map((migration) => migration.name));
  return (await readHistory(client)).map((row) => row.migration_name).filter((name) => !known.has(name));
}

function refuseIfUnsound(history: HistoryRow[], migrations: Migration[]): void {
  const byName = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of history) {
    if (!row.finished) {
      throw new MigrationError(
        `migration ${row.migration_name} is recorded as started but not finished: bring the database to a known state, ` +
          'then mark it with `prisma migrate resolve --applied` or `--rolled-back`',
      );
    }
    const migration = byName.get(row.migration_name);
    if (migration && !matches(migration.sql, row.checksum)) {
      throw new MigrationError(
        `migration ${row.migration_name} was edited after it was applied to this database: restore the file, ` +
          'and put the change into a new migration',
      );
    }
  }
}

function checksum(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}

/** A checkout may have translated the line endings; that is not an edit. */
function matches(sql: string, recorded: string): boolean {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].some((text) => checksum(text) === recorded);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Word for word what Prisma creates; only the condition is added.
const CREATE_HISTORY = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)`;

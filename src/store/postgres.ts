import type pg from 'pg';
import { closeDatabase, createPool, openDatabase, silent, type StoreLog } from './database.ts';
import { birthplaceExpression, ensureHead, renewEpochIfMoved } from './epoch.ts';
import { guarded } from './failure.ts';
import { migrate, migrationsDir } from './migrate.ts';
import type { Store } from './port.ts';
import { createStore } from './store.ts';

export interface PostgresOptions {
  /** postgresql://user:password@host:port/database */
  url: string;
  /** Hears of connections that broke while idle. Nothing needs to be done: the next call makes a new one. */
  onError?: (error: Error) => void;
  log?: StoreLog;
  /** The longest that one statement may take on the server; every call is bounded by a small multiple. */
  statementTimeoutMs?: number;
}

const CONNECT_MS = 3000;
/** For the answer to "statement timeout" to arrive; after that nobody is listening at the other end. */
const GRACE_MS = 1000;
const POOL_SIZE = 5;
/** Heartbeats and leases: short statements, which are given up soon, since whoever waits for them is as good as dead meanwhile. */
const QUICK_MS = 2000;
const QUICK_GRACE_MS = 500;
const QUICK_POOL_SIZE = 3;

/** The store on a PostgreSQL server (14 or newer): migrated, with a head, in an epoch of its own. */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const { url, log = silent, statementTimeoutMs = 10_000 } = options;
  const onError = options.onError ?? ((error) => log.warn(`an idle database connection broke: ${error.message}`));
  const connection: pg.PoolConfig = {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
  };
  return guarded('open the database', async () => {
    await migrateAlone(connection, log, onError);
    let birthplace: string | undefined;
    const poolOf = (timeoutMs: number, graceMs: number, size: number): pg.Pool => {
      const config: pg.PoolConfig = {
        ...connection,
        statement_timeout: timeoutMs,
        idle_in_transaction_session_timeout: timeoutMs,
        query_timeout: timeoutMs + graceMs,
        max: size,
        min: 1,
        // Not only when the store is opened: behind one address, a standby can take over from a primary at any time.
        // oxlint-disable-next-line typescript/no-misused-promises -- pg-pool waits for it; its types do not say so.
        onConnect: async (client) => {
          // Prisma writes times without their zone, and the server would read them in its own.
          await client.query(`SET TIME ZONE 'UTC'`);
          if (birthplace !== undefined) await renewEpochIfMoved(client, birthplace, log);
        },
      };
      return createPool(config, onError);
    };
    const pool = poolOf(statementTimeoutMs, GRACE_MS, POOL_SIZE);
    const quick = poolOf(Math.min(QUICK_MS, statementTimeoutMs), QUICK_GRACE_MS, QUICK_POOL_SIZE);
    const db = await openDatabase(pool, quick);
    try {
      const expression = await birthplaceExpression(db);
      await ensureHead(db, expression);
      await renewEpochIfMoved(pool, expression, log);
      await warnIfNotDurable(pool, log);
      birthplace = expression;
    } catch (error) {
      await closeDatabase(db);
      throw error;
    }
    return createStore(db, birthplace);
  });
}

/** With connections of its own: a migration may take longer than a statement of the running program ever may. */
async function migrateAlone(connection: pg.PoolConfig, log: StoreLog, onError: (error: Error) => void): Promise<void> {
  const pool = createPool({ ...connection, max: 1 }, onError);
  try {
    await migrate(pool, migrationsDir(), log);
  } finally {
    await pool.end();
  }
}

async function warnIfNotDurable(pool: pg.Pool, log: StoreLog): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'`,
  );
  for (const { name } of rows)
    log.warn(`the server runs with ${name} = off: acknowledged writes can be lost in a crash`);
}

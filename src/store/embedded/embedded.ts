import { mkdirSync, realpathSync } from 'node:fs';
import { closeDatabase, createPool, openDatabase, silent, type Database, type StoreLog } from '../database.ts';
import { birthplaceExpression, ensureHead, renewEpochIfMoved } from '../epoch.ts';
import { guarded } from '../failure.ts';
import { migrate, migrationsDir } from '../migrate.ts';
import type { Store } from '../port.ts';
import { createStore } from '../store.ts';
import { ensureDataDirectory } from './data-directory.ts';
import { lockDirectory } from './directory-lock.ts';
import { startServer, type EmbeddedServer } from './server.ts';

export interface EmbeddedOptions {
  /** Made when it does not exist. One process at a time. */
  dir: string;
  log?: StoreLog;
  /** The database has crashed or hangs: every call fails from now on, and the process should end, to be started again. */
  onFatal?: (error: Error) => void;
}

/** There is one session, so this is also how long a call waits for the others. */
const STATEMENT_MS = 30_000;

/** The store on a PostgreSQL inside this process, its files under `dir`. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Store> {
  const { dir, log = silent } = options;
  const onFatal = options.onFatal ?? ((error) => log.warn(error.message));
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(dir);
  try {
    const data = await ensureDataDirectory(realpathSync(dir));
    const server = await startServer(data, onFatal);
    try {
      const { db, birthplace } = await openOver(server, log);
      const store = withUpkeep(createStore(db, birthplace), db);
      let closed: Promise<void> | undefined;
      const close = async (): Promise<void> => {
        await store.close();
        await server.close();
        await lock.release();
      };
      return { ...store, close: () => (closed ??= close()) };
    } catch (error) {
      await server.close();
      throw error;
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function openOver(server: EmbeddedServer, log: StoreLog): Promise<{ db: Database; birthplace: string }> {
  const pool = createPool(
    {
      user: 'postgres',
      database: 'postgres',
      stream: () => server.connect(),
      // PGlite is one session: a second connection would share its transactions and its statements.
      max: 1,
      connectionTimeoutMillis: STATEMENT_MS,
      query_timeout: STATEMENT_MS,
      idleTimeoutMillis: 0,
    },
    (error) => log.warn(`the connection to the embedded database broke: ${error.message}`),
  );
  return guarded('open the embedded database', async () => {
    const db = await openDatabase(pool);
    try {
      await migrate(pool, migrationsDir(), log);
      const birthplace = await birthplaceExpression(db);
      await ensureHead(db, birthplace);
      await renewEpochIfMoved(pool, birthplace, log);
      return { db, birthplace };
    } catch (error) {
      await closeDatabase(db);
      throw error;
    }
  });
}

/** A lone backend has no autovacuum: what trimming frees is reused only after this. */
function withUpkeep(store: Store, { pool }: Database): Store {
  const trim: Store['trim'] = async (policy) => {
    const before = await store.head();
    const after = await store.trim(policy);
    if (after.trimmed > before.trimmed) {
      await guarded('vacuum', async () => {
        await pool.query('VACUUM change_log');
        await pool.query('VACUUM resource');
      });
    }
    return after;
  };
  return { ...store, trim };
}

import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from './generated/client.ts';
import type { MigrationLog } from './migrate.ts';

/** Where the store says what an operator should know. */
export type StoreLog = MigrationLog;

/** For those who do not listen. */
export const silent: StoreLog = { info: () => {}, warn: () => {} };

/** One database: Prisma for what is seldom done, `pg` itself for what must be fast. */
export interface Database {
  readonly pool: pg.Pool;
  /** For short statements that others' lives depend on: nothing that takes long keeps its connections busy. */
  readonly quick: pg.Pool;
  readonly prisma: PrismaClient;
}

/** Takes the pools over: on failure they are closed. */
export async function openDatabase(pool: pg.Pool, quick = pool): Promise<Database> {
  try {
    // Prisma names the schema in every statement, so it has to be told the one that plain SQL uses.
    const { rows } = await pool.query<{ schema: string }>('SELECT current_schema() AS schema');
    const adapter = new PrismaPg(pool, { schema: rows[0]?.schema ?? 'public' });
    return { pool, quick, prisma: new PrismaClient({ adapter, errorFormat: 'minimal' }) };
  } catch (error) {
    await endPools(pool, quick);
    throw error;
  }
}

/** Waits for what is under way; every statement is bounded, so this is. */
export async function closeDatabase({ pool, quick, prisma }: Database): Promise<void> {
  await prisma.$disconnect();
  await endPools(pool, quick);
}

async function endPools(...pools: pg.Pool[]): Promise<void> {
  await Promise.all([...new Set(pools)].map((pool) => pool.end()));
}

/** A pool whose idle connections may break at any time: the pool drops them, `onError` hears of it. */
export function createPool(config: pg.PoolConfig, onError: (error: Error) => void): pg.Pool {
  const pool = new pg.Pool({ application_name: 'signalbox', ...config });
  pool.on('error', onError);
  // A connection that breaks in use fails the query too, which is where it is handled; unheard, the event would end the
  // process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Lends a connection. One on which something failed is destroyed, since nobody knows what state it is in. */
export async function withClient<T>(pool: pg.Pool, use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failed = true;
  try {
    const result = await use(client);
    failed = false;
    return result;
  } finally {
    client.release(failed);
  }
}

/** A bigint for SQL; Infinity is a number as large as any. */
export function wholeNumber(value: number): bigint {
  return BigInt(Math.trunc(Math.min(value, Number.MAX_SAFE_INTEGER)));
}

/** PostgreSQL's text has no NUL; one in a name that a token carries must not fail the other commands of a batch. */
export function storable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** How often the server has begun to read these tables, by an index or from end to end, since the database was made. */
export interface TableScans {
  readonly log: number;
  /** Those that commits make of it are among them: one for each resource that they write. */
  readonly resources: number;
}

/** A connection that has nothing more to do tells what it has counted after ten seconds. */
const TOLD_AFTER_MS = 11_000;

const COUNTS = `
SELECT relname AS name, seq_scan + coalesce(idx_scan, 0) AS scans
  FROM pg_stat_user_tables WHERE relname IN ('change_log', 'resource')`;

/** To be asked when nobody has written for a moment. */
export async function tableScans(url: string): Promise<TableScans> {
  await sleep(TOLD_AFTER_MS);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; scans: string }>(COUNTS);
    const scans = new Map(rows.map((row) => [row.name, Number(row.scans)]));
    return { log: scans.get('change_log') ?? NaN, resources: scans.get('resource') ?? NaN };
  } finally {
    await client.end();
  }
}

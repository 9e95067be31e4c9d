import type { Database } from './database.ts';
import { guarded } from './failure.ts';
import type { Documents } from './port.ts';

/**
 * With `pg` alone, which sends bytes as they are. Of storing what is there already, only its time is written. The server locks a row that is being removed, and looks at its time again once it has it: so of storing and removing at
 * once, either the time is seen, or the row is stored anew.
 */
export function documents({ pool }: Database): Documents {
  return {
    put: (sha256, body) =>
      guarded('store an API document', async () => {
        await pool.query(
          `INSERT INTO api_document AS old (sha256, body, stored_at) VALUES ($1, $2, clock_timestamp())
           ON CONFLICT (sha256) DO UPDATE SET stored_at = greatest(old.stored_at, excluded.stored_at)`,
          [sha256, Buffer.from(body.buffer, body.byteOffset, body.byteLength)],
        );
      }),
    read: (sha256) =>
      guarded('read an API document', async () => {
        const { rows } = await pool.query<{ body: Buffer }>('SELECT body FROM api_document WHERE sha256 = $1', [
          sha256,
        ]);
        return rows[0]?.body;
      }),
    removeUnused: (graceMs) =>
      guarded('remove API documents', async () => {
        const { rowCount } = await pool.query(
          `DELETE FROM api_document AS old
            WHERE old.stored_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
              AND NOT EXISTS (SELECT 1 FROM resource
                               WHERE kind = 'version' AND value -> 'document' ->> 'sha256' = old.sha256)`,
          [graceMs],
        );
        return rowCount ?? 0;
      }),
  };
}

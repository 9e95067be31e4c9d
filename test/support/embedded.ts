import { PGlite } from '@electric-sql/pglite';
import { realpathSync } from 'node:fs';
import { ensureDataDirectory } from '../../src/store/embedded/data-directory.ts';

/** Runs statements in the embedded database of a directory, while nobody else has it open. */
export async function runEmbedded(dir: string, sql: string): Promise<void> {
  const db = await PGlite.create(await ensureDataDirectory(realpathSync(dir)));
  await db.exec(sql);
  await db.close();
}

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createDataDir } from './server.ts';

/** Of the PostgreSQL inside PGlite. A test compares it with what PGlite says. */
export const POSTGRES_MAJOR = 18;

/** The directory of the database proper, made if there is none. The caller holds the lock on `dir`. */
export async function ensureDataDirectory(dir: string): Promise<string> {
  const data = join(dir, 'database');
  if (!existsSync(data)) await create(data);
  refuseOtherVersions(data);
  return data;
}

/** Made aside and renamed when complete: an interrupted first start leaves nothing that looks like a database. */
async function create(data: string): Promise<void> {
  const unfinished = `${data}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  await createDataDir(unfinished);
  renameSync(unfinished, data);
}

function refuseOtherVersions(data: string): void {
  const file = join(data, 'PG_VERSION');
  const found = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  if (found === String(POSTGRES_MAJOR)) return;
  if (found === undefined) {
    throw new Error(`${data} is not a database: it has no PG_VERSION. Restore it from a backup, or move it away`);
  }
  throw new Error(
    `the database in ${data} was made by PostgreSQL ${found}, and this version of Signalbox contains PostgreSQL ` +
      `${POSTGRES_MAJOR}: export the catalog with the version that made it and apply it here, or move the directory away`,
  );
}

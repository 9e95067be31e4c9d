import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const TEMPORARY = /\.copy\.[0-9a-f-]{36}\.tmp$/;
/** A temporary file that nobody has touched for so long is of a process that was killed. */
const ABANDONED_MS = 10 * 60_000;

/**
 * Puts a file in place of another, so that whoever opens it finds the old or the new one whole, also after a loss of power. Every
 * write has a temporary file of its own: of two processes, the later one stays.
 */
export async function writeAtomically(directory: string, name: string, pieces: Iterable<string>): Promise<void> {
  const temporary = join(directory, `${name}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      for (const piece of pieces) await file.appendFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(directory, name));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncDirectory(directory);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Removes what killed processes have left behind. `now` in milliseconds since 1970. */
export async function removeAbandoned(directory: string, now: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!TEMPORARY.test(name)) continue;
    const path = join(directory, name);
    const touchedAt = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => now,
    );
    if (now - touchedAt > ABANDONED_MS) await rm(path, { force: true });
  }
}

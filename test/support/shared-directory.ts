import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where the test files of a run put what takes long to make, and is the same for all of them. */
export const SHARED_VARIABLE = 'SIGNALBOX_TEST_SHARED';

const LOOK_MS = 50;

/**
 * A directory that is made once in a run, by whichever file needs it first; the others wait for it. What it is made from must not
 * change within a run, and nobody may write into it afterwards.
 */
export async function madeOnce(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const shared = process.env[SHARED_VARIABLE];
  if (shared === undefined) throw new Error('only a test run has a shared directory');
  const path = join(shared, name);
  const [lock, done] = [`${path}.lock`, `${path}.done`];
  while (!existsSync(done)) {
    if (!take(lock)) {
      await sleep(LOOK_MS);
      continue;
    }
    try {
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path);
      await make(path);
      writeFileSync(done, '');
    } finally {
      rmSync(lock, { recursive: true });
    }
  }
  return path;
}

function take(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

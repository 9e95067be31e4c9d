import { PGlite } from '@electric-sql/pglite';

/** What PGlite throws through its own loop to reach the handler of an ordinary SQL error. */
const SQL_ERROR_STATUS = 100;

const MAIN_LOOP = '_PostgresMainLoopOnce';

const REPLY_SIZE = 256 * 1024;

/** `onCrash` is called when the database is not to be used any more; it does not return. */
export async function openPGlite(dataDir: string, onCrash: (message: string) => never): Promise<PGlite> {
  let complaint = '';
  const onStderr = (line: string): boolean => {
    complaint = /(?:FATAL|PANIC):\s*(.*)/.exec(line)?.[1] ?? complaint;
    return false;
  };
  try {
    const db = await PGlite.create(dataDir, { onStderr });
    watchForCrash(db, (error) => onCrash(complaint || messageOf(error)));
    return db;
  } catch (error) {
    throw new Error(complaint || messageOf(error), { cause: error });
  }
}

/**
 * PGlite goes on after whatever is thrown inside of it, a WebAssembly trap or a PANIC included, on memory that nothing
 * can be said about any more. The files are sound, as they are after a kill: so a crash is made one.
 */
function watchForCrash(db: PGlite, onCrash: (error: unknown) => never): void {
  const module = db.Module as unknown as Record<typeof MAIN_LOOP, (this: void) => void>;
  const runOnce = module[MAIN_LOOP];
  if (typeof runOnce !== 'function') throw new Error('this is not the version of PGlite that Signalbox was made for');
  module[MAIN_LOOP] = () => {
    try {
      runOnce();
    } catch (error) {
      if ((error as { status?: unknown }).status !== SQL_ERROR_STATUS) onCrash(error);
      throw error;
    }
  };
}

/** Ends whatever transaction is open. On a full disk the first attempt can fail, in what it has to clean up. */
export async function rollBack(db: PGlite): Promise<void> {
  for (let failures = 0; db.isInTransaction();) {
    try {
      await db.exec('ROLLBACK');
    } catch (error) {
      if (++failures === 3) throw error;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs one unit of the wire protocol and passes on the answer in a few large pieces; each owns its buffer. */
export async function runUnit(
  db: PGlite,
  unit: Uint8Array,
  reply: (bytes: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  const flush = (): void => {
    if (size === 0) return;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    pieces = [];
    size = 0;
    reply(bytes);
  };
  await db.execProtocolRawStream(unit, {
    onRawData: (data) => {
      // A view of WebAssembly memory, which the next piece overwrites.
      pieces.push(data.slice());
      size += data.length;
      if (size >= REPLY_SIZE) flush();
    },
  });
  flush();
}

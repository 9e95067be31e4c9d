/** The thread that runs the embedded database. In the main thread it would hold up everything else. */
import type { PGlite } from '@electric-sql/pglite';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerInput } from './messages.ts';
import { openPGlite, rollBack, runUnit } from './pglite.ts';
import { Units } from './units.ts';

if (!parentPort) throw new Error('the embedded database runs in a worker thread');
const port = parentPort;
const { dataDir, task } = workerData as WorkerInput;

/** Nobody else makes checkpoints: a lone backend only does at its end, and its write-ahead log grows until then. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;

const db = await open();
if (task === 'create') {
  await db.close();
  say({ type: 'ready' });
  port.close();
} else {
  serve();
}

async function open(): Promise<PGlite> {
  try {
    return await openPGlite(dataDir, fail);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** Ends this thread, not the process. What was posted before still arrives. */
function fail(message: string): never {
  say({ type: 'failed', message });
  process.exit(1);
}

function serve(): void {
  const sessions = new Map<number, Units>();
  let unwritten = 0;
  // One message after the other. A failure here is a crash: the thread ends and the main thread is told.
  let tail: Promise<void> = Promise.resolve();
  port.on('message', (message: ToWorker) => {
    tail = tail.then(() => handle(message));
  });
  say({ type: 'ready' });

  async function handle(message: ToWorker): Promise<void> {
    switch (message.type) {
      case 'open':
        sessions.set(message.session, new Units());
        // To PGlite every session is the same one, which remembers what the last one prepared.
        await db.exec('DEALLOCATE ALL');
        return;
      case 'data':
        await answer(message.session, message.bytes);
        return;
      case 'end':
        // What the session left open would swallow the next one's work.
        if (sessions.delete(message.session)) await rollBack(db);
        say({ type: 'ended', session: message.session });
        return;
      case 'ping':
        say({ type: 'pong' });
        return;
      case 'close':
        await db.close();
        port.close();
        return;
    }
  }

  async function answer(session: number, bytes: Uint8Array): Promise<void> {
    for (const unit of sessions.get(session)?.push(bytes) ?? []) {
      await runUnit(db, unit, (reply) => say({ type: 'data', session, bytes: reply }, reply.buffer));
    }
    unwritten += bytes.length;
    if (unwritten < CHECKPOINT_BYTES || db.isInTransaction()) return;
    unwritten = 0;
    // One that fails, for want of space, is made up for by the next.
    await db.exec('CHECKPOINT').catch(() => {});
  }
}

function say(message: FromWorker, transfer?: ArrayBuffer): void {
  port.postMessage(message, transfer ? [transfer] : []);
}

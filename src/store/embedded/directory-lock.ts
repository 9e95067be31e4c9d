import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * One process at a time per directory. A lock is a listening socket in the directory: the kernel ends it with the
 * process, however that ends, so liveness needs neither process ids, which are reused and mean something else in another
 * container, nor clocks.
 *
 * Every process that wants the directory puts a socket of its own there, looks at all the others, and removes the dead
 * ones. Nobody ever takes over another's socket. Of two that want it at once, the one that appears later in the directory
 * finds the other; so they cannot both find nobody. The smaller name stays.
 */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** Somebody else lives there. */
export class DirectoryInUse extends Error {
  override name = 'DirectoryInUse';
}

const NAME = /^lock-[0-9a-f]+\.sock$/;
const HELD = 'held';
const WAITING = 'waiting';
const ANSWER_MS = 2000;
const WAIT_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** Refuses with `DirectoryInUse`; what a killed process left is no obstacle. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const dir = realpathSync(directory);
  const id = randomBytes(8).toString('hex');
  const name = `lock-${id}.sock`;
  let state = WAITING;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    // Not waiting for the other side to close: it may have been stopped, and a release has to end.
    socket.end(state, () => socket.destroy());
  });
  await listen(server, dir, `new-${id}.sock`);
  const release = async (): Promise<void> => {
    rmSync(join(dir, name), { force: true });
    await new Promise((resolve) => server.close(resolve));
  };
  try {
    // Under its name only now: a socket that is bound and does not listen yet looks dead.
    renameSync(join(dir, `new-${id}.sock`), join(dir, name));
    await untilAlone(dir, name);
  } catch (error) {
    await release();
    throw error;
  }
  state = HELD;
  return { release };
}

async function untilAlone(dir: string, own: string): Promise<void> {
  const giveUp = performance.now() + WAIT_MS;
  for (;;) {
    const rivals = await livingRivals(dir, own);
    if (rivals.length === 0) return;
    if (performance.now() > giveUp || rivals.some(({ name, state }) => state !== WAITING || name < own)) {
      throw new DirectoryInUse(
        `the data directory ${dir} is in use by another Signalbox process: stop that one, or give this one a directory ` +
          'of its own (DATA_DIR), or run both on one PostgreSQL (DATABASE_URL)',
      );
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

async function livingRivals(dir: string, own: string): Promise<{ name: string; state: string }[]> {
  const names = readdirSync(dir).filter((name) => NAME.test(name) && name !== own);
  const found = await Promise.all(names.map(async (name) => ({ name, state: await ask(dir, name) })));
  for (const { name, state } of found) if (state === DEAD) rmSync(join(dir, name), { force: true });
  return found.filter(({ state }) => state !== DEAD);
}

const DEAD = 'dead';
const SILENT = 'silent';

/** What the owner of a socket says. Only a refused connection is a proof of death; a busy owner may well be silent. */
function ask(dir: string, name: string): Promise<string> {
  return withShortPath(
    dir,
    name,
    (path) =>
      new Promise((resolve) => {
        let answer = '';
        const socket = connect(path);
        const done = (state: string): void => {
          socket.destroy();
          resolve(state);
        };
        socket.setTimeout(ANSWER_MS, () => done(SILENT));
        socket.on('data', (data) => (answer += data.toString()));
        socket.on('end', () => done(answer || SILENT));
        socket.on('error', (error: NodeJS.ErrnoException) => {
          done(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? DEAD : SILENT);
        });
      }),
  );
}

function listen(server: Server, dir: string, name: string): Promise<void> {
  return withShortPath(
    dir,
    name,
    (path) =>
      new Promise((resolve, reject) => {
        server.once('error', (error) => {
          const message = `cannot put a lock into ${dir}: ${error.message}. It has to be on a local file system`;
          reject(new Error(message, { cause: error }));
        });
        server.listen(path, resolve);
        // The lock lives as long as the process, not the other way round.
        server.unref();
      }),
  );
}

/** The path of a socket may have 107 bytes, on macOS 103. */
const LONGEST_PATH = 100;

/** Where the path is too long, through a symbolic link for the moment: the socket itself is in the directory all the same. */
async function withShortPath<T>(dir: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(dir, name);
  if (Buffer.byteLength(path) <= LONGEST_PATH) return use(path);
  const temporary = mkdtempSync(join(tmpdir(), 'signalbox-'));
  try {
    symlinkSync(dir, join(temporary, 'd'));
    return await use(join(temporary, 'd', name));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

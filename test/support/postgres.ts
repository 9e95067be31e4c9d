/**
 * A PostgreSQL for tests and benchmarks. Knows nothing of Jest.
 *
 *   createDatabase()  a fresh, empty database on the server of this test run
 *   startPostgres()   a private server, which a test may stop, kill and start again on the same port
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { findPostgres } from './find-postgres.ts';
import { freePort } from './free-port.ts';

/** Where a started server announces itself to the processes below. TEST_DATABASE_URL, the user's own server, goes first. */
export const SERVER_URL_VARIABLE = 'SIGNALBOX_TEST_SERVER_URL';

export function serverUrl(): string | undefined {
  return process.env['TEST_DATABASE_URL'] || process.env[SERVER_URL_VARIABLE] || undefined;
}

export interface TestDatabase {
  url: string;
  run(sql: string): Promise<void>;
  /** Ends every connection to the database and removes it. */
  drop(): Promise<void>;
}

export async function createDatabase(server = serverUrl()): Promise<TestDatabase> {
  if (!server)
    throw new Error(
      'no PostgreSQL in this run: name the test file *.pg.test.ts, *.acceptance.test.ts or *.cluster.test.ts',
    );
  const name = `signalbox_test_${randomBytes(6).toString('hex')}`;
  await adminQuery(server, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, run: (sql) => adminQuery(url.href, sql), drop: () => dropDatabase(server, name) };
}

/** Who closed a pool is told so before its connections are gone; one that FORCE ends then is an error nobody awaits. */
const CLOSING_MS = 1000;

async function dropDatabase(server: string, name: string): Promise<void> {
  await asAdmin(server, async (client) => {
    const connected = `SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`;
    for (const end = performance.now() + CLOSING_MS; performance.now() < end; await sleep(10))
      if ((await client.query(connected, [name])).rowCount === 0) break;
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });
}

const adminQuery = (url: string, sql: string): Promise<void> =>
  asAdmin(url, async (client) => {
    await client.query(sql);
  });

async function asAdmin(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

export interface PrivatePostgres {
  url: string;
  /** An orderly shutdown that ends open connections. The data stays. */
  stop(): Promise<void>;
  /** SIGKILL to every process of the server. The data stays. */
  kill(): Promise<void>;
  /** After stop or kill: the same data on the same port. */
  start(): Promise<void>;
  /** Shuts down and removes the data. Happens by itself when the process that called startPostgres ends. */
  destroy(): Promise<void>;
}

export interface PostgresOptions {
  /** Server settings, on top of those below. */
  settings?: Record<string, string>;
  /** A command that runs the server, such as ['taskset', '-c', '0']. */
  prefix?: string[];
}

export async function startPostgres(options: PostgresOptions = {}): Promise<PrivatePostgres> {
  const bin = findPostgres();
  const owner = serverOwner();
  // Another user cannot be expected to reach into root's own temporary directory.
  const dir = mkdtempSync(join(owner ? '/tmp' : tmpdir(), 'signalbox-pg-'));
  if (owner) chownSync(dir, owner.uid, owner.gid);
  const as: RunAs = { ...owner, cwd: dir, env: { PATH: process.env['PATH'], LC_ALL: 'C' } };
  const guard = startGuard(dir, as);

  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const command = [...(options.prefix ?? []), join(bin, 'postgres'), '-D', join(dir, 'data')];
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: dir,
    max_connections: '200',
    shared_buffers: '64MB',
    fsync: 'on',
    ...options.settings,
  };
  for (const [name, value] of Object.entries(settings)) command.push('-c', `${name}=${value}`);

  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    if (server) throw new Error('this PostgreSQL is running');
    server = spawnServer(command, dir, as);
    await untilReady(server, url, dir);
  }

  async function end(signal: (running: ChildProcess) => void): Promise<void> {
    const running = server;
    server = undefined;
    if (!running || hasEnded(running)) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.ref();
    signal(running);
    await ended;
  }

  async function destroy(): Promise<void> {
    await end((running) => running.kill('SIGINT'));
    rmSync(dir, { recursive: true, force: true });
    guard.stdin?.destroy();
  }

  try {
    initialise(bin, dir, password, owner, as);
    await start();
  } catch (error) {
    await destroy();
    throw error;
  }
  return { url, start, stop: () => end((running) => running.kill('SIGINT')), kill: () => end(killWhole), destroy };
}

type Owner = { uid: number; gid: number };
type RunAs = Partial<Owner> & { cwd: string; env: NodeJS.ProcessEnv };

/** PostgreSQL refuses to run as root. */
function serverOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user)
    throw new Error('PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/**
 * Its standard input ends when this process does, however it does; then neither server nor directory stays behind.
 */
function startGuard(dir: string, as: RunAs): ChildProcess {
  const script = `
    cat >/dev/null
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
    n=0; while [ -n "$pid" ] && [ $n -lt 50 ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
    rm -rf "$1"
  `;
  const guard = spawn('/bin/sh', ['-c', script, 'guard', dir], {
    ...as,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  return guard;
}

function initialise(bin: string, dir: string, password: string, owner: Owner | undefined, as: RunAs): void {
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (owner) chownSync(passwordFile, owner.uid, owner.gid);
  const args = ['-D', join(dir, 'data'), '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  // --no-sync concerns initdb alone; the server itself syncs.
  args.push('-E', 'UTF8', '--locale=C', '--no-sync');
  execFileSync(join(bin, 'initdb'), args, { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
}

function spawnServer(command: string[], dir: string, as: RunAs): ChildProcess {
  const [program = '', ...args] = command;
  const log = openSync(join(dir, 'log'), 'a');
  try {
    // Detached: Ctrl-C in a terminal is for the test run, which then ends the server in its own time.
    const server = spawn(program, args, { ...as, detached: true, stdio: ['ignore', log, log] });
    server.on('error', () => {});
    server.unref();
    return server;
  } finally {
    closeSync(log);
  }
}

async function untilReady(server: ChildProcess, url: string, dir: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return await adminQuery(url, 'SELECT 1');
    } catch (error) {
      if (hasEnded(server) || performance.now() > deadline) {
        const log = readFileSync(join(dir, 'log'), 'utf8').slice(-2000);
        throw new Error(`PostgreSQL did not start:\n${log}`, { cause: error });
      }
    }
    await sleep(25);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/** The parent first: it would begin to recover from the death of its children. */
function killWhole(server: ChildProcess): void {
  const children = childrenOf(server.pid ?? 0);
  server.kill('SIGKILL');
  for (const pid of children) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already, with its parent.
    }
  }
}

function childrenOf(parent: number): number[] {
  const list = `/proc/${parent}/task/${parent}/children`;
  if (existsSync(list)) return readFileSync(list, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const rows = table.map((line) => line.trim().split(/\s+/).map(Number));
  return rows.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []));
}

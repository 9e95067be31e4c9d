/**
 * A Redis for tests. Knows nothing of Jest.
 *
 *   openRedis()   some server: TEST_REDIS_URL, or else a private one
 *   startRedis()  a private server, which a test may stop, kill, pause and start again on the same port
 *
 * Several at once, as Sentinel or as a cluster: redis-sentinel.ts and redis-cluster.ts.
 */
import { type ChildProcess, type ExecFileSyncOptions, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';

export interface TestRedis {
  url: string;
  /** Ends the server if it is a private one. */
  destroy(): Promise<void>;
}

export interface PrivateRedis extends TestRedis {
  readonly port: number;
  readonly password: string;
  /** An orderly shutdown. Nothing is kept. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** After stop or kill: on the same port with the same password. */
  start(): Promise<void>;
  /** The server keeps its connections and answers nobody. */
  pause(): void;
  resume(): void;
}

export async function openRedis(): Promise<TestRedis> {
  const url = process.env['TEST_REDIS_URL'];
  if (!url) return startRedis();
  try {
    await connectOnce(url);
  } catch (error) {
    throw new Error('the Redis that TEST_REDIS_URL names does not answer', { cause: error });
  }
  return { url, destroy: () => Promise.resolve() };
}

export interface StartOptions {
  /** More lines of its configuration, which may contradict those that it has anyway. */
  readonly lines?: readonly string[] | (() => Promise<readonly string[]>);
  readonly password?: string;
  readonly sentinel?: true;
}

const ATTEMPTS = 5;

/** A port that was free may be somebody else's by the time that the server listens: then it is another one's turn. */
export async function startRedis(options: StartOptions = {}): Promise<PrivateRedis> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await startOnFreePorts(options);
    } catch (error) {
      if (left === 1 || !/Address already in use/u.test(String(error))) throw error;
    }
  }
}

async function startOnFreePorts(options: StartOptions): Promise<PrivateRedis> {
  const program = findRedis();
  const dir = mkdtempSync(join(tmpdir(), 'signalbox-redis-'));
  const guard = startGuard(dir);
  const port = await freePort();
  const password = options.password ?? randomBytes(12).toString('hex');
  const url = `redis://${password === '' ? '' : `:${password}@`}127.0.0.1:${port}`;
  const config = join(dir, 'redis.conf');
  const lines = [`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`, `pidfile ${pidFile(dir)}`];
  if (password !== '') lines.push(`requirepass ${password}`);
  if (!options.sentinel) lines.push('save ""', 'appendonly no');
  const more = typeof options.lines === 'function' ? await options.lines() : (options.lines ?? []);
  writeFileSync(config, [...lines, ...more, ''].join('\n'), { mode: 0o600 });
  const args = options.sentinel ? [config, '--sentinel'] : [config];

  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    if (server) throw new Error('this Redis is running');
    server = spawnServer(program, args, dir);
    await untilReady(server, url, dir);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = server;
    server = undefined;
    if (running && !hasEnded(running)) {
      const ended = new Promise((resolve) => running.once('exit', resolve));
      running.ref();
      running.kill(signal);
      await ended;
    }
    // Another process may get the number.
    rmSync(pidFile(dir), { force: true });
  }

  async function destroy(): Promise<void> {
    await end('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
    guard.stdin?.destroy();
  }

  try {
    await start();
  } catch (error) {
    await destroy();
    throw error;
  }
  return {
    url,
    port,
    password,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    destroy,
  };
}

const pidFile = (dir: string): string => join(dir, 'pid');

/** Its standard input ends when this process does, however it does; then neither server nor directory stays behind. */
function startGuard(dir: string): ChildProcess {
  const script = `
    cat >/dev/null
    pid=$(cat "$1/pid" 2>/dev/null) && kill -KILL "$pid" 2>/dev/null
    rm -rf "$1"
  `;
  const guard = spawn('/bin/sh', ['-c', script, 'guard', dir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  return guard;
}

function spawnServer(program: string, args: readonly string[], dir: string): ChildProcess {
  const log = openSync(join(dir, 'log'), 'a');
  try {
    // Detached: Ctrl-C in a terminal is for the test run, which then ends the server in its own time.
    const server = spawn(program, args, { cwd: dir, detached: true, stdio: ['ignore', log, log] });
    server.on('error', () => {});
    server.unref();
    return server;
  } finally {
    closeSync(log);
  }
}

async function connectOnce(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null });
  client.on('error', () => {});
  await client.connect();
  client.disconnect();
}

async function untilReady(server: ChildProcess, url: string, dir: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await connectOnce(url);
    } catch (error) {
      if (hasEnded(server) || performance.now() > deadline) {
        const log = readFileSync(join(dir, 'log'), 'utf8').slice(-2000);
        throw new Error(`Redis did not start:\n${log}`, { cause: error });
      }
    }
    await sleep(20);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

const MISSING = `Redis 7 or newer is needed for these tests, and redis-server is not on the PATH.
Install it (Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install redis; macOS: brew install redis).
TEST_REDIS_URL stands in for it only where a test does not have to stop the server.`;

/** `redis-server`: found, or on Debian as root installed first. */
function findRedis(): string {
  const found = search();
  if (found) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const failure = installOnDebian();
    const installed = search();
    if (installed) return installed;
    throw new Error(`${MISSING}\nInstalling it with apt-get did not work:\n${failure}`);
  }
  throw new Error(MISSING);
}

function search(): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return path.map((dir) => join(dir, 'redis-server')).find((file) => existsSync(file));
}

/** Debian starts a server of its own after the installation unless a policy file forbids it. Answers what went wrong. */
function installOnDebian(): string {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  console.log('redis-server was not found: installing it with apt-get ...');
  try {
    // Waiting for dpkg's lock: another process may be installing the same thing.
    const wait = ['-o', 'DPkg::Lock::Timeout=300'];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const options: ExecFileSyncOptions = { env, stdio: ['ignore', 'pipe', 'pipe'] };
    execFileSync('apt-get', ['update', '-q', ...wait], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wait, 'redis-server'], options);
    silenceService();
    return 'apt-get reported success, yet there is no redis-server';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

/** A policy file that was there already may have let it start; and at the next boot it would. */
function silenceService(): void {
  const commands = [
    ['service', 'redis-server', 'stop'],
    ['systemctl', 'disable', 'redis-server'],
  ];
  for (const [program = '', ...args] of commands) {
    try {
      execFileSync(program, args, { stdio: 'ignore' });
    } catch {
      // There is no such program here, or no such service.
    }
  }
}

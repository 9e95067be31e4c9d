import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The directory that holds `postgres` and `initdb`: found, or on Debian as root installed first. */
export function findPostgres(): string {
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

const MISSING = `PostgreSQL 14 or newer is needed for these tests, and was not found.
Install it (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@16),
or set TEST_DATABASE_URL to a server on which the tests may create databases.`;

const OLDEST = 14;

function search(): string | undefined {
  return candidates().find(
    (dir) => existsSync(join(dir, 'postgres')) && existsSync(join(dir, 'initdb')) && versionOf(dir) >= OLDEST,
  );
}

function candidates(): string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const versioned = [
    ...below('/usr/lib/postgresql', /^\d+$/),
    ...below('/opt/homebrew/opt', /^postgresql(@\d+)?$/),
    ...below('/usr/local/opt', /^postgresql(@\d+)?$/),
    ...below('/usr', /^pgsql-\d+$/),
  ];
  return [...path, ...pgConfig(), ...versioned.map((dir) => join(dir, 'bin'))];
}

/** Newest first. */
function below(dir: string, pattern: RegExp): string[] {
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir).filter((name) => pattern.test(name));
  names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return names.map((name) => join(dir, name));
}

function pgConfig(): string[] {
  try {
    return [execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()];
  } catch {
    return [];
  }
}

function versionOf(dir: string): number {
  try {
    const answer = execFileSync(join(dir, 'postgres'), ['--version'], { encoding: 'utf8' });
    return Number(/ (\d+)/.exec(answer)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Debian starts a server of its own after the installation unless a policy file forbids it. Answers what went wrong. */
function installOnDebian(): string {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  console.log('PostgreSQL was not found: installing it with apt-get ...');
  try {
    // Waiting for dpkg's lock: another process may be installing the same thing.
    const wait = ['-o', 'DPkg::Lock::Timeout=300'];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const options: ExecFileSyncOptions = { env, stdio: ['ignore', 'pipe', 'pipe'] };
    execFileSync('apt-get', ['update', '-q', ...wait], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wait, 'postgresql'], options);
    return 'apt-get reported success, yet there is no usable server';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { findPostgres } from '../../test/support/find-postgres.ts';

/** What the figures depend on, a line each. */
export function describeMachine(): string[] {
  const all = cpus();
  return [
    `CPU: ${all[0]?.model.trim() ?? 'unknown'}, ${all.length} cores`,
    `memory: ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `kernel: ${process.platform} ${release()}`,
    `Node.js: ${process.version}`,
    `PostgreSQL: ${postgresVersion()}, fsync and synchronous_commit on`,
  ];
}

function postgresVersion(): string {
  const answer = execFileSync(join(findPostgres(), 'postgres'), ['--version'], { encoding: 'utf8' });
  return answer.replace(/^postgres \(PostgreSQL\) /, '').trim();
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';

/**
 * Stops every process of a PostgreSQL on this machine where it stands: the connections stay, and nobody answers. Answers
 * how to let them go on, which also happens when this process ends.
 */
export async function freeze(url: string): Promise<() => Promise<void>> {
  const script = `
    kill -STOP "$1" || exit 1
    all="$1 $(ps -A -o pid=,ppid= | awk -v parent="$1" '$2 == parent { print $1 }')"
    kill -STOP $all 2>/dev/null
    echo stopped
    cat >/dev/null
    kill -CONT $all 2>/dev/null
  `;
  const child = spawn('/bin/sh', ['-c', script, 'freeze', String(await postmasterOf(url))], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(([code]) => Promise.reject(new Error(`the server cannot be stopped: ${String(code)}`))),
  ]);
  return async () => {
    child.stdin.end();
    await ended;
  };
}

async function postmasterOf(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ file: string }>(`SELECT pg_read_file('postmaster.pid') AS file`);
    return Number(rows[0]?.file.split('\n')[0]);
  } finally {
    await client.end();
  }
}

import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The server and its database have one core, the load has another. */
export interface Cores {
  readonly server: number | undefined;
  readonly load: number | undefined;
  /** What starts a command on the server's core. */
  readonly prefix: readonly string[];
  /** Said in the results. */
  readonly description: string;
}

/** Moves this process to the core of the load. Where that is not possible, says so and goes on. */
export function pinSelf(): Cores {
  const [server, load] = allowedCores();
  if (server === undefined || load === undefined) return unpinned('fewer than two cores');
  const pinned = moveTo(load, process.pid);
  if (pinned.error) return unpinned('there is no taskset');
  if (pinned.status !== 0) return unpinned('taskset was refused');
  return {
    server,
    load,
    prefix: ['taskset', '-c', String(server)],
    description: `server and database on core ${server}, load on core ${load} (taskset)`,
  };
}

/** All threads of a process. */
export const moveTo = (core: number, pid: number): SpawnSyncReturns<Buffer> =>
  spawnSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });

const unpinned = (why: string): Cores => ({
  server: undefined,
  load: undefined,
  prefix: [],
  description: `NOT pinned (${why}): the server, its database and the load compete for the same cores`,
});

/** From `0-1,4`, the first two. */
function allowedCores(): number[] {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    return [];
  }
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '';
  return list
    .split(',')
    .flatMap((range) => {
      const [first = NaN, last = first] = range.split('-').map(Number);
      return last > first ? [first, first + 1] : [first];
    })
    .filter((core) => Number.isInteger(core))
    .slice(0, 2);
}

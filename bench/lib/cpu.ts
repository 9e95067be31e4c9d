import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cores } from './cores.ts';

/** Linux counts in hundredths of a second, whatever the kernel's own tick. */
const MS_PER_TICK = 10;

/** Shares of one core; NaN where the system does not tell. */
export interface CpuShares {
  readonly seconds: number;
  /** The server process. */
  readonly server: number;
  /** What else of ours runs: the database, and floors that are not the measured server. */
  readonly database: number;
  /** Everything on the server's core. */
  readonly serverCore: number;
  /** This process, which makes the load. */
  readonly client: number;
  /** What processes that are none of ours took of the two cores. */
  readonly others: number;
}

type Reading = Record<'at' | 'server' | 'database' | 'serverCore' | 'client' | 'others', number>;

export class CpuMeter {
  readonly #cores: Cores;
  readonly #pid: number | undefined;
  readonly #start: Reading;

  constructor(cores: Cores, pid?: number) {
    this.#cores = cores;
    this.#pid = pid;
    this.#start = this.#read();
  }

  stop(): CpuShares {
    const before = this.#start;
    const now = this.#read();
    const ms = now.at - before.at;
    const share = (key: keyof Reading): number => (now[key] - before[key]) / ms;
    return {
      seconds: ms / 1000,
      server: share('server'),
      database: share('database'),
      serverCore: share('serverCore'),
      client: share('client'),
      others: share('others'),
    };
  }

  #read(): Reading {
    const tree = ownProcesses();
    const serverCore = coreMs(this.#cores.server);
    let ours = 0;
    for (const { ms } of tree.values()) ours += ms;
    const server = (this.#pid === undefined ? undefined : tree.get(this.#pid)?.ms) ?? 0;
    const client = tree.get(process.pid)?.aloneMs ?? NaN;
    return {
      at: performance.now(),
      server,
      database: ours - server - client,
      serverCore,
      client,
      others: serverCore + coreMs(this.#cores.load) - ours,
    };
  }
}

/** The milliseconds that all threads of a process have run until now, exactly; NaN where the system does not tell. */
export function ranMs(pid: number): number {
  const threads = list(`/proc/${pid}/task`).map((task) => read(`/proc/${pid}/task/${task}/schedstat`));
  if (threads.length === 0) return NaN;
  return threads.reduce((sum, text) => sum + (text === undefined ? NaN : Number(text.split(' ')[0]) / 1e6), 0);
}

/** Shares of a core that some processes take from now until the answer is called. */
export function sharesOf<K extends string>(pids: Readonly<Record<K, number>>): () => Record<K, number> {
  const names = Object.keys(pids) as K[];
  const before = names.map((name) => ranMs(pids[name]));
  const started = performance.now();
  return () => {
    const ms = performance.now() - started;
    return Object.fromEntries(names.map((name, i) => [name, (ranMs(pids[name]) - (before[i] ?? NaN)) / ms])) as Record<
      K,
      number
    >;
  };
}

/** What others take of the two cores while we rest. */
export async function othersLoad(cores: Cores, ms = 1000): Promise<number> {
  const meter = new CpuMeter(cores);
  await sleep(ms);
  const { others } = meter.stop();
  return Number.isNaN(others) ? 0 : others;
}

interface Used {
  readonly parent: number;
  /** With what its ended children took. */
  readonly ms: number;
  readonly aloneMs: number;
}

/** This process and all that it has started, directly or not. */
function ownProcesses(): Map<number, Used> {
  const all = new Map<number, Used>();
  for (const entry of list('/proc')) {
    const pid = Number(entry);
    const used = Number.isInteger(pid) ? usedBy(pid) : undefined;
    if (used !== undefined) all.set(pid, used);
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === process.pid) return true;
    return false;
  };
  return new Map([...all].filter(([pid]) => isOurs(pid)));
}

function usedBy(pid: number): Used | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The command's name may hold spaces; it ends with the last parenthesis.
  const fields = stat
    ?.slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  if (fields === undefined) return undefined;
  const [, parent = 0] = fields;
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  const aloneMs = (user + system) * MS_PER_TICK;
  return { parent, aloneMs, ms: aloneMs + (childrenUser + childrenSystem) * MS_PER_TICK };
}

function coreMs(core: number | undefined): number {
  const line = read('/proc/stat')
    ?.split('\n')
    .find((other) => other.startsWith(`cpu${core} `));
  if (line === undefined) return NaN;
  const [user = 0, nice = 0, system = 0] = line.split(' ').slice(1).map(Number);
  return (user + nice + system) * MS_PER_TICK;
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

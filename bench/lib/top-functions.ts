import type { CpuProfile } from './inspector.ts';

export interface TopFunction {
  readonly name: string;
  /** Short: the package, or the path below `dist`. */
  readonly where: string;
  /** Of the time in which the process was not idle: in the function itself, and with all that it called. */
  readonly self: number;
  readonly total: number;
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

/** The functions of all profiles together, the largest self time first. */
export function topFunctions(profiles: readonly CpuProfile[]): TopFunction[] {
  const times = new Map<string, { name: string; where: string; self: number; total: number }>();
  let busy = 0;
  const entryOf = (frame: Frame) => {
    const name = frame.functionName === '' ? '(anonymous)' : frame.functionName;
    const where = shorten(frame.url, frame.lineNumber);
    const key = `${name} ${where}`;
    let entry = times.get(key);
    if (entry === undefined) times.set(key, (entry = { name, where, self: 0, total: 0 }));
    return entry;
  };
  for (const { nodes, samples, timeDeltas } of profiles) {
    const entries = new Map(nodes.map(({ id, callFrame }) => [id, entryOf(callFrame)]));
    const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
    const selfTimes = new Map<number, number>();
    samples.forEach((id, index) => selfTimes.set(id, (selfTimes.get(id) ?? 0) + (timeDeltas[index] ?? 0)));
    for (const [id, time] of selfTimes) {
      const entry = entries.get(id);
      if (entry === undefined || entry.name === '(idle)') continue;
      busy += time;
      entry.self += time;
      // A recursive function is counted once.
      const onStack = new Set<typeof entry>();
      for (let node: number | undefined = id; node !== undefined; node = parents.get(node)) {
        const caller = entries.get(node);
        if (caller !== undefined) onStack.add(caller);
      }
      for (const caller of onStack) caller.total += time;
    }
  }
  return [...times.values()]
    .map(({ name, where, self, total }) => ({ name, where, self: self / busy, total: total / busy }))
    .sort((a, b) => b.self - a.self);
}

function shorten(url: string, line: number): string {
  if (url === '') return 'V8';
  const path = url.replace(/^.*\/node_modules\//, '').replace(/^.*\/(dist|bench)\//, '$1/');
  return `${path}:${line + 1}`;
}

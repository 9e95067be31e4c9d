/** What the root of all loggers is called. */
export const ROOT = 'ROOT';

const USUAL = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
/** What other logging libraries call the ends of the scale. */
const ALSO: Readonly<Record<string, string>> = { off: 'silent', none: 'silent', all: 'trace', warning: 'warn' };

/** The levels of a logger, from the one that says most to `silent`. */
export function levelNames(values: Readonly<Record<string, number>> | undefined): readonly string[] {
  const own = Object.entries(values ?? {}).sort(([, a], [, b]) => a - b);
  return [...(own.length === 0 ? USUAL : own.map(([name]) => name)), 'silent'];
}

/** A level as the logger calls it; undefined where it has none of this name. Capitals make no difference. */
export function readLevel(text: unknown, names: readonly string[]): string | undefined {
  if (typeof text !== 'string') return undefined;
  const wanted = text.toLowerCase();
  return names.find((name) => name === text || name.toLowerCase() === wanted) ?? ALSO[wanted];
}

/**
 * The level of a logger: its own, else that of the nearest name before it (`orders` for `orders.db`), else the root's.
 */
export function levelOf(name: string, own: ReadonlyMap<string, string>, root: string): string {
  for (let at = name; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const level = own.get(at);
    if (level !== undefined) return level;
  }
  return root;
}

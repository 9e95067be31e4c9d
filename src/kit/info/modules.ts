import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a program says of itself, and the versions of what it depends on as they are installed where it runs. */
export interface Modules {
  readonly name?: string;
  readonly version?: string;
  /** By name, sorted; `missing` where one is not installed. */
  readonly dependencies: Readonly<Record<string, string>>;
}

interface Package {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** `from`: a directory or a file of the program; its package.json is the nearest one above. */
export function readModules(from: string): Modules {
  for (const directory of upwards(from)) {
    const own = readPackage(directory);
    if (own === undefined) continue;
    const names = Object.keys({ ...own.dependencies, ...own.optionalDependencies }).sort();
    const versions = names.map((name) => [name, installed(name, directory) ?? 'missing'] as const);
    return {
      ...(own.name !== undefined && { name: own.name }),
      ...(own.version !== undefined && { version: own.version }),
      dependencies: Object.fromEntries(versions),
    };
  }
  return { dependencies: {} };
}

/** Where Node would find it: in the `node_modules` of this directory, or of one above. */
function installed(name: string, directory: string): string | undefined {
  for (const each of upwards(directory)) {
    const found = readPackage(join(each, 'node_modules', name));
    if (found !== undefined) return found.version ?? 'unknown';
  }
  return undefined;
}

function* upwards(from: string): Generator<string> {
  for (let at = from, last = ''; at !== last; last = at, at = dirname(at)) yield at;
}

function readPackage(directory: string): Package | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Package;
  } catch {
    return undefined;
  }
}

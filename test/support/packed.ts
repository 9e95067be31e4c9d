import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from './signalbox.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;

/** The package as `npm publish` would send it, made of what was built. */
export interface Packed {
  readonly tarball: string;
  /** Paths in it. */
  readonly files: readonly string[];
  /** Bytes of the tarball. */
  readonly size: number;
  /** An empty project with the package unpacked, beside these packages alone. */
  project(packages: readonly string[]): Promise<Project>;
  remove(): void;
}

export interface Project {
  readonly path: string;
  write(file: string, text: string): string;
  /** Runs a program in it; rejects where that ends with another exit code than 0, with all it has said. */
  node(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** What the compiler says of it; empty where all is well. */
  tsc(): Promise<string>;
}

interface PackAnswer {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/** Needs `npm run build`. */
export async function pack(): Promise<Packed> {
  const directory = temporaryDirectory();
  const args = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', directory.path];
  const { stdout } = await run('npm', args, { timeout: TIMEOUT_MS });
  const [answer] = JSON.parse(stdout) as readonly PackAnswer[];
  if (answer === undefined) throw new Error(`npm pack answered ${stdout}`);
  const tarball = join(directory.path, answer.filename);
  let projects = 0;
  return {
    tarball,
    files: answer.files.map(({ path }) => path),
    size: answer.size,
    project: (packages) => project(join(directory.path, `project-${++projects}`), tarball, packages),
    remove: () => directory.remove(),
  };
}

async function project(path: string, tarball: string, packages: readonly string[]): Promise<Project> {
  const own = join(path, 'node_modules', 'signalbox');
  mkdirSync(own, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', own, '--strip-components=1'], { timeout: TIMEOUT_MS });
  for (const name of packages) {
    const link = join(path, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve('node_modules', name), link);
  }
  const write = (file: string, text: string): string => {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
    return join(path, file);
  };
  write('package.json', '{ "name": "user", "private": true, "type": "module" }');
  const { NODE_OPTIONS: _, ...env } = process.env;
  return {
    path,
    write,
    async node(args, more = {}) {
      const { stdout } = await run(process.execPath, [...args], {
        cwd: path,
        env: { ...env, ...more },
        timeout: TIMEOUT_MS,
      });
      return stdout;
    },
    async tsc() {
      if (!existsSync(join(path, 'tsconfig.json'))) throw new Error('it has no tsconfig.json');
      return compile(path);
    },
  };
}

/** What the installed compiler says of a directory with a `tsconfig.json`. */
export async function compile(directory: string): Promise<string> {
  try {
    await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', directory, '--pretty', 'false'], {
      cwd: directory,
      timeout: TIMEOUT_MS,
    });
    return '';
  } catch (error) {
    const { stdout, message } = error as { readonly stdout?: string; readonly message: string };
    return stdout === undefined || stdout === '' ? message : stdout;
  }
}

/**
 * `npm run release:freeze -- GIT_REF` puts a release into test/upgrade/previous, as it is at that ref: its server, its store with
 * the contract suite, what it says to other nodes and what its clients understand, each as one file; and its migrations. The
 * tests of test/upgrade run it beside this version (decisions/0021). Packages are not frozen: they are those of the repository.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const target = join(root, 'test', 'upgrade', 'previous');

/** By file: what is in it. */
const BUNDLES: Readonly<Record<string, string>> = {
  node: `import './src/main.ts';`,
  contract: `export { storeContract } from './test/store/contract.ts';
    export { openPostgres } from './src/store/postgres.ts';`,
  peer: `export { BUS_PROTOCOL, decodeAnnouncement, encodeAnnouncement } from './src/bus/wire.ts';
    export { PROTOCOL, PROTOCOL_VERSION } from './src/protocol/version.ts';
    export { WatchSession as WatchClient } from './src/cli/watch-session.ts';`,
};

const [ref = 'HEAD', ...rest] = process.argv.slice(2);
if (rest.length > 0 || ref.startsWith('-')) {
  console.error('usage: freeze-release.ts [GIT_REF]   (HEAD unless told otherwise)');
  process.exitCode = 2;
} else {
  const tree = mkdtempSync(join(tmpdir(), 'signalbox-release-'));
  try {
    checkOut(ref, tree);
    await freeze(tree);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

async function freeze(tree: string): Promise<void> {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const [name, contents] of Object.entries(BUNDLES)) await bundle(tree, name, contents);
  cpSync(join(tree, 'prisma', 'migrations'), join(target, 'prisma', 'migrations'), { recursive: true });
  const version = manifestOf(tree).version;
  // The program looks for its version one directory above itself, and for its migrations beside this file.
  writeJson('package.json', { version, private: true, type: 'module' });
  writeJson('release.json', {
    version,
    date: git('log', '-1', '--format=%cs', ref),
    protocol: await protocolOf(),
    migrations: migrationsOf(tree),
    sizes: Object.fromEntries(Object.keys(BUNDLES).map((name) => [name, statSync(fileOf(name)).size])),
  });
  console.log(`Froze ${version} (${ref}):\n${readFileSync(join(target, 'release.json'), 'utf8')}`);
}

function fileOf(name: string): string {
  return join(target, 'dist', `${name}.mjs`);
}

function writeJson(name: string, value: unknown): void {
  writeFileSync(join(target, name), `${JSON.stringify(value, undefined, 2)}\n`);
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}

function checkOut(at: string, tree: string): void {
  const archive = execFileSync('git', ['archive', '--format=tar', at], { cwd: root, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', tree], { input: archive });
  if (agree(tree)) symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  else execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: tree, stdio: 'inherit' });
  execFileSync(process.execPath, ['--import', 'tsx', 'scripts/build.ts', '--generate-only'], {
    cwd: tree,
    stdio: 'inherit',
  });
}

interface Lock {
  packages: Readonly<Record<string, { version?: string }>>;
}

/** Whether what the release names as its dependencies is installed here, in those very versions. */
function agree(tree: string): boolean {
  const [then, now] = [tree, root].map(
    (dir) => JSON.parse(readFileSync(join(dir, 'package-lock.json'), 'utf8')) as Lock,
  );
  const { dependencies, devDependencies } = manifestOf(tree);
  return Object.keys({ ...dependencies, ...devDependencies }).every((name) => {
    const key = `node_modules/${name}`;
    return then?.packages[key]?.version === now?.packages[key]?.version;
  });
}

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

function manifestOf(dir: string): Manifest {
  return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest;
}

async function bundle(tree: string, name: string, contents: string): Promise<void> {
  await build({
    stdin: { contents, resolveDir: tree, loader: 'ts', sourcefile: `${name}.ts` },
    absWorkingDir: tree,
    outfile: fileOf(name),
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    charset: 'utf8',
    legalComments: 'none',
    minifySyntax: true,
    logLevel: 'warning',
    tsconfig: join(tree, 'tsconfig.json'),
  });
}

/** Of the push feed and of the bus, as the bundle itself says. */
async function protocolOf(): Promise<object> {
  const peer = (await import(fileOf('peer'))) as { PROTOCOL: string; PROTOCOL_VERSION: number; BUS_PROTOCOL: number };
  return { name: peer.PROTOCOL, number: peer.PROTOCOL_VERSION, bus: peer.BUS_PROTOCOL };
}

function migrationsOf(tree: string): { name: string; sha256: string }[] {
  const dir = join(tree, 'prisma', 'migrations');
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted()
    .map((name) => {
      const sql = readFileSync(join(dir, name, 'migration.sql'));
      return { name, sha256: createHash('sha256').update(sql).digest('hex') };
    });
}

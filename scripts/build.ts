/**
 * src -> dist. `--generate-only` stops after the generated Prisma client, which type checks and tests need as well.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const src = join(root, 'src');
const dist = join(root, 'dist');
const generated = join(src, 'store', 'generated');
const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}` };

try {
  generateClient();
  if (!process.argv.includes('--generate-only')) {
    dropOrphans();
    execFileSync('tsc', ['-p', 'tsconfig.json'], { cwd: root, env, stdio: 'inherit' });
    copyAssets();
    const cli = join(dist, 'cli', 'main.js');
    if (existsSync(cli)) chmodSync(cli, 0o755);
  }
} catch (error) {
  // A tool that failed has said why; anything else has not.
  if (!(error instanceof Error && 'status' in error)) console.error(error);
  process.exitCode = 1;
}

/** Only when its sources changed: by content, since a checkout or an image build leaves times that mean nothing. */
function generateClient(): void {
  const sources = ['prisma/schema.prisma', 'prisma.config.ts', 'node_modules/prisma/package.json'];
  const hash = createHash('sha256');
  for (const source of sources) hash.update(readFileSync(join(root, source)));
  const want = hash.digest('hex');
  const stamp = join(generated, '.stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  const result = spawnSync('prisma', ['generate'], { cwd: root, env, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`prisma generate failed:\n${result.stdout}${result.stderr}`);
  writeFileSync(stamp, want);
}

/** What a removed source left behind would still be importable, and a test of dist would not notice that it is gone. */
function dropOrphans(): void {
  for (const file of existsSync(dist) ? filesBelow(dist) : []) {
    const source = file.replace(/\.js(\.map)?$/, '.ts');
    if (source !== file && !existsSync(join(src, source))) rmSync(join(dist, file));
  }
}

function copyAssets(): void {
  for (const file of filesBelow(src)) {
    if (/(\.ts|\.md|\.stamp)$/.test(file)) continue;
    cpSync(join(src, file), join(dist, file));
  }
}

function filesBelow(dir: string): string[] {
  const paths = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return paths.filter((path) => statSync(join(dir, path)).isFile());
}

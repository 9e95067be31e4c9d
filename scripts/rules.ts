import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fills the last column of docs/rules.md with the test files that carry each id; `--check` only compares. */
const PAGE = 'docs/rules.md';
const ROW = /^\| ([A-Z]+[0-9]+)\s*\| (.*?)\s*\|([^|]*)\|$/gm;

const tests = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') || file.endsWith('contract.ts'))
  .sort()
  .map((file) => ({ file, names: namesIn(readFileSync(join('test', file), 'utf8')) }));

function namesIn(source: string): string {
  return [...source.matchAll(/\b(?:test|it|describe)(?:\.each\([\s\S]*?\))?\(\s*(['"`])([\s\S]*?)\1/g)]
    .map((m) => m[2])
    .join('\n');
}

const page = readFileSync(PAGE, 'utf8');
const unshown: string[] = [];
const written = page.replaceAll(ROW, (_, id: string, promise: string) => {
  const shownBy = tests.filter(({ names }) => new RegExp(`\\b${id}\\b`).test(names)).map(({ file }) => `\`${file}\``);
  if (shownBy.length === 0) unshown.push(id);
  return `| ${id} | ${promise} | ${shownBy.join(', ')} |`;
});

if (unshown.length > 0) {
  console.error(`No test carries ${unshown.join(', ')} in its name.`);
  process.exitCode = 1;
}
if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, written);
} else if (written !== page) {
  console.error(`${PAGE} is not current: npm run rules`);
  process.exitCode = 1;
}

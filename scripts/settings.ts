/** Writes .env.example and docs/settings.md from src/settings.ts; `--check` fails when they are not what it says. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import { SETTINGS } from '../src/settings.ts';
import type { Unit } from '../src/config-units.ts';

interface Entry {
  readonly env: string;
  readonly unit: Unit<unknown>;
  readonly description: string;
  readonly default?: unknown;
  readonly otherwise?: string;
}

const root = join(import.meta.dirname, '..');
const entries: readonly Entry[] = Object.values(SETTINGS as unknown as Record<string, Entry>);
const files: readonly [path: string, content: string][] = [
  ['.env.example', envExample()],
  [join('docs', 'settings.md'), await format(settingsPage(), { parser: 'markdown', printWidth: 120 })],
];

const args = process.argv.slice(2);
if (args.length > 1 || (args.length === 1 && args[0] !== '--check')) {
  console.error('usage: settings.ts [--check]');
  process.exitCode = 2;
} else {
  for (const [path, content] of files) await (args[0] === '--check' ? check(path, content) : write(path, content));
}

async function write(path: string, content: string): Promise<void> {
  await writeFile(join(root, path), content);
  console.log(`Wrote ${path}`);
}

async function check(path: string, content: string): Promise<void> {
  const written = await readFile(join(root, path), 'utf8').catch(() => undefined);
  if (written === content) return console.log(`${path} is current`);
  console.error(`${path} is not what src/settings.ts says. Run: npm run settings`);
  process.exitCode = 1;
}

function envExample(): string {
  const blocks = entries.map((entry) => {
    const value = entry.default === undefined ? '' : entry.unit.write(entry.default);
    return `# ${sentences(entry)}\n# ${entry.env}=${value}\n`;
  });
  return `# Every setting with its default. Settings are environment variables; docs/settings.md has the same list as a table.\n\n${blocks.join('\n')}`;
}

function sentences({ description, unit, otherwise }: Entry): string {
  return `${description} (${unit.expects}${otherwise === undefined ? '' : `; if not set: ${otherwise}`})`;
}

function settingsPage(): string {
  const rows = entries.map((entry) => {
    const fallback = entry.default === undefined ? (entry.otherwise ?? '') : `\`${entry.unit.write(entry.default)}\``;
    return `| \`${entry.env}\` | ${fallback} | ${entry.unit.expects} | ${entry.description} |`;
  });
  return `# Settings

Generated from \`src/settings.ts\` by \`npm run settings\`. Signalbox reads settings from environment variables. One that is
empty counts as not set. A value that cannot be read stops the start with exit code 2 and a list of all that is wrong.

| name | default | form | what it does |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

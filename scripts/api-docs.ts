/** Writes docs/api/*.md from the docstrings of what users import; `--check` fails when they are not what the sources say. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { Modules } from './api/exports.ts';
import { sectionOf } from './api/page.ts';

const root = join(import.meta.dirname, '..');

const PAGES = [
  {
    path: 'docs/api/client.md',
    entry: 'src/sdk/index.ts',
    title: 'signalbox/client',
    about:
      'The client library. [docs/client.md](../client.md) tells how it is used; this page lists all that it exports.',
  },
  {
    path: 'docs/api/fastify.md',
    entry: 'src/kit/fastify.ts',
    title: 'signalbox/fastify',
    about: 'The kit as a Fastify plugin. [docs/kit.md](../kit.md) tells how it is used.',
  },
  {
    path: 'docs/api/kit.md',
    entry: 'src/kit/index.ts',
    title: 'signalbox/kit',
    about:
      'The kit without Fastify: for `node:http`, Express and whatever takes their handlers. [docs/kit.md](../kit.md) tells how it is used.',
  },
] as const;

const args = process.argv.slice(2);
if (args.length > 1 || (args.length === 1 && args[0] !== '--check')) {
  console.error('usage: api-docs.ts [--check]');
  process.exitCode = 2;
} else {
  const modules = new Modules();
  for (const page of PAGES) {
    const content = await pageOf(page, modules);
    await (args[0] === '--check' ? check(page.path, content) : write(page.path, content));
  }
}

async function pageOf({ entry, title, about }: (typeof PAGES)[number], modules: Modules): Promise<string> {
  const sections = [...modules.exportsOf(join(root, entry)).values()].map(sectionOf);
  for (const name of sections.flatMap(({ undocumented }) => undocumented)) {
    console.error(`${entry}: ${name} has no docstring`);
    process.exitCode = 1;
  }
  const text = [`# ${title}`, '', about, '', `Generated from \`${entry}\` by \`npm run api-docs\`.`];
  const markdown = [...text, ...sections.flatMap(({ markdown: one }) => ['', one]), ''].join('\n');
  // As `npm run format` would have it, so that both are content.
  return format(markdown, { ...(await resolveConfig(join(root, 'docs/api/client.md'))), parser: 'markdown' });
}

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
  console.log(`Wrote ${path}`);
}

async function check(path: string, content: string): Promise<void> {
  const written = await readFile(join(root, path), 'utf8').catch(() => undefined);
  if (written === content) return console.log(`${path} is current`);
  console.error(`${path} is not what the sources say. Run: npm run api-docs`);
  process.exitCode = 1;
}

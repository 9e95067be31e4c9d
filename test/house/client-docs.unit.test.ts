import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { overrideVariables } from '../../src/sdk/discovery/overrides.ts';
import { compile } from '../support/packed.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { blocksOf, moduleOf } from '../support/ts-blocks.ts';

const PAGE = 'docs/client.md';

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    paths: {
      'signalbox/client': [resolve('src/sdk/index.ts')],
      'signalbox/fastify': [resolve('src/kit/fastify.ts')],
      'signalbox/kit': [resolve('src/kit/index.ts')],
    },
  },
  include: ['*.ts'],
};

/** What the compiler says of the blocks of a page, by lines of the page. */
async function said(page: string, more = ''): Promise<string[]> {
  const directory = temporaryDirectory();
  try {
    symlinkSync(resolve('node_modules'), join(directory.path, 'node_modules'));
    writeFileSync(join(directory.path, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(directory.path, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    const offsets = new Map<string, number>();
    for (const block of blocksOf(page)) {
      const { text, offset } = moduleOf(block);
      offsets.set(`${block.name}.ts`, offset);
      writeFileSync(join(directory.path, `${block.name}.ts`), text + more);
    }
    // The sources themselves are checked elsewhere, with everything that belongs to them.
    return (await compile(directory.path)).split('\n').flatMap((line) => {
      if (line.startsWith('error')) return [line];
      const [, file = '', at = '', what = ''] = /^([^(]+)\((\d+),\d+\): (.*)/.exec(line) ?? [];
      const offset = offsets.get(file);
      return offset === undefined ? [] : [`${page}:${Number(at) + offset}: ${what}`];
    });
  } finally {
    directory.remove();
  }
}

test('every block of the guide is one that compiles', async () => {
  expect(blocksOf(PAGE).length).toBeGreaterThan(12);
  expect(await said(PAGE)).toEqual([]);
  // The compiler would have said so.
  expect((await said(PAGE, 'export const n: number = "";')).length).toBe(blocksOf(PAGE).length);
}, 60_000);

test.each(['README.md', 'docs/kit.md'])(
  'the blocks of %s are ones that compile, too',
  async (page) => {
    expect(blocksOf(page).length).toBeGreaterThan(1);
    expect(await said(page)).toEqual([]);
  },
  60_000,
);

/** The first column of the table whose head begins with `head`. */
function column(head: string): string[] {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const from = lines.findIndex((line) => line.startsWith(`| ${head}`));
  const rows = lines.slice(from + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((row) => /`([^`]+)`/.exec(row)?.[1] ?? row);
}

test('the table of errors has every code, and no other', () => {
  const codes = /export type ErrorCode =([^;]+);/.exec(readFileSync('src/sdk/errors.ts', 'utf8'))?.[1] ?? '';
  const known = [...codes.matchAll(/'([a-z-]+)'/g)].map(([, code]) => code);
  expect(known.length).toBeGreaterThan(10);
  expect(column('`code`')).toEqual(known);
});

test('the table of variables has every one that the client and the kit read, and no other', () => {
  const files = ['src/sdk', 'src/kit'].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(room, file), 'utf8')),
  );
  const read = files.flatMap((text) =>
    [...text.matchAll(/\benv(?:\.|\[['"`])([A-Z][A-Z0-9_]*)/g)].map(([, name]) => name),
  );
  // The one name that is made up while the program runs.
  expect(overrideVariables('orders.example.com')).toEqual(['ORDERS_EXAMPLE_COM_URL', 'ORDERS_URL']);
  expect(column('variable').toSorted()).toEqual([...new Set([...read, '{ID}_URL'])].toSorted());
  // Whoever takes apart an environment or reads it under a name that is made up belongs into this test.
  const indirect = files.flatMap((text) => text.match(/\{[^{}]*\} = (?:process\.)?env\b|\benv\[[a-z]\w*\]/g) ?? []);
  expect(indirect.toSorted()).toEqual(['env[name]', 'env[name]', 'env[name]']);
});

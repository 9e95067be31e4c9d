import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { transform } from 'esbuild';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack, type Packed, type Project } from '../support/packed.ts';
import { startSignalbox, temporaryDirectory, type Signalbox } from '../support/signalbox.ts';
import { blocksOf, moduleOf } from '../support/ts-blocks.ts';
import { PROGRAMS } from './package-programs.ts';

/** What each entry may load beside our own files and what Node has. */
const OWN = {
  client: ['undici', 'ws'],
  kit: ['undici', 'ws', 'jose'],
  fastify: ['undici', 'ws', 'jose', 'fastify'],
} as const;
/** Rooms that an import loads; the kit knows the client by its type alone. */
const ROOMS = {
  client: ['domain', 'protocol', 'sdk'],
  kit: ['domain', 'kit', 'sdk'],
  fastify: ['domain', 'kit', 'protocol', 'sdk'],
};
/** Types that programs in TypeScript have anyway. */
const TYPES = ['@types/node', 'undici-types'];
const TSCONFIG = JSON.stringify({
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  },
  include: ['program.ts'],
});
/** Modules that an import loads, Node's own among them: each of ours costs a program a third of a millisecond at its start. */
const MAX_LOADED = { client: 170, kit: 110, fastify: 270 };
/** Compressed; a release that is twice as large has something in it that nobody meant. */
const MAX_BYTES = 2_000_000;

/** Writes down whatever is imported. CommonJS is not seen by it, and not to be had here apart from the packages that are linked. */
const WITNESS = `
import { appendFileSync } from 'node:fs';
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  appendFileSync(process.env.LOADED, found.url + '\\n');
  return found;
}`;
const REGISTER = `import { register } from 'node:module'; register('./witness.mjs', import.meta.url);`;

let packed: Packed;
let server: Signalbox;
const data = temporaryDirectory();

beforeAll(async () => {
  packed = await pack();
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly dependencies: object };
  const whole = await packed.project(Object.keys(dependencies));
  const program = join(whole.path, 'node_modules/signalbox/dist/main.js');
  server = await startSignalbox({ program, env: { DATA_DIR: data.path } });
}, 120_000);
afterAll(async () => {
  await server.stop();
  packed.remove();
  data.remove();
});

test('the package holds what runs and what explains it, and nothing else', () => {
  const { files } = packed;
  const top = new Set(files.map((file) => file.split('/')[0]));
  expect([...top].sort()).toEqual(['README.md', 'dist', 'docs', 'openapi', 'package.json', 'prisma']);
  expect(files).toEqual(
    expect.arrayContaining([
      'dist/cli/main.js',
      'dist/main.js',
      'openapi/PUSH.md',
      'prisma/migrations/migration_lock.toml',
    ]),
  );
  expect(files.filter((file) => /\.map$|\.tsbuildinfo$|\.env|\.test\./.test(file))).toEqual([]);
  expect(packed.size).toBeLessThan(MAX_BYTES);
});

test('all that package.json points at is in it', () => {
  const { bin, exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    readonly bin: Readonly<Record<string, string>>;
    readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  };
  const named = [...Object.values(bin), ...Object.values(exports).flatMap((one) => Object.values(one))]
    .filter((path) => path.length > 1)
    .map((path) => path.replace(/^\.\//, ''));
  expect(named.length).toBeGreaterThan(7);
  expect(named.filter((path) => !packed.files.includes(path))).toEqual([]);
});

describe.each(['client', 'kit', 'fastify'] as const)('signalbox/%s as its users get it', (entry) => {
  const packages = OWN[entry];
  let project: Project;

  beforeAll(async () => {
    project = await packed.project([...packages, ...TYPES]);
    project.write('witness.mjs', WITNESS);
    project.write('register.mjs', REGISTER);
  }, 60_000);

  test('its import needs its own packages alone, and no room of the server', async () => {
    const seen = join(project.path, 'loaded.txt');
    await project.node(['--import', './register.mjs', '-e', `import('signalbox/${entry}')`], { LOADED: seen });
    const loaded = readFileSync(seen, 'utf8').split('\n');
    const rooms = new Set(loaded.flatMap((url) => /\/signalbox\/dist\/([^/]+)\//.exec(url)?.[1] ?? []));
    expect([...rooms].sort()).toEqual(ROOMS[entry]);
    expect(new Set(loaded).size).toBeLessThan(MAX_LOADED[entry]);
    // What the protocol checks frames with is the server's.
    const ofProtocol = loaded.flatMap((url) => /\/dist\/protocol\/(.+)$/.exec(url)?.[1] ?? []);
    expect(ofProtocol.filter((file) => file !== 'close-codes.js' && file !== 'version.js')).toEqual([]);
  });

  test('its types resolve, also with our declarations checked', async () => {
    project.write('program.ts', PROGRAMS[entry]);
    project.write('tsconfig.json', TSCONFIG);
    const said = (await project.tsc()).split('\n').filter((line) => line !== '');
    // The declarations of other packages are not ours to mend.
    expect(said.filter((line) => !/node_modules\/(?!signalbox\/)/.test(line))).toEqual([]);
  }, 60_000);

  test('a small program runs by it, with the server of the same package', async () => {
    const { code } = await transform(PROGRAMS[entry], { loader: 'ts', format: 'esm' });
    project.write('program.mjs', code);
    const output = await project.node(['program.mjs'], { SIGNALBOX_URL: server.url });
    expect(output).toMatch(/^hello .* 200\n$/);
  }, 60_000);
});

describe('docs/client.md', () => {
  const blocks = blocksOf('docs/client.md');
  let results: readonly { readonly name: string; readonly said: readonly string[]; readonly failed?: string }[];
  const saidUnder = (heading: string): string[] => {
    const names = blocks.filter((block) => block.heading === heading).map(({ name }) => name);
    return results.filter(({ name }) => names.includes(name)).flatMap(({ said }) => said);
  };

  beforeAll(async () => {
    const project = await packed.project([...OWN.client, '@opentelemetry/api']);
    for (const block of blocks) {
      const { code } = await transform(moduleOf(block).text, { loader: 'ts', format: 'esm' });
      project.write(`${block.name}.mjs`, code);
    }
    copyFileSync('test/acceptance/run-blocks.mjs', join(project.path, 'run-blocks.mjs'));
    const names = blocks.map(({ name }) => name);
    results = JSON.parse(await project.node(['run-blocks.mjs', ...names], { SIGNALBOX_URL: server.url }));
  }, 60_000);

  test('every block runs, against a real server', () => {
    expect(results.map(({ name }) => name)).toEqual(blocks.map(({ name }) => name));
    expect(results.filter(({ failed }) => failed !== undefined)).toEqual([]);
  });

  test.each([
    ['Three lines to join', [/^200 GET \/v1\/orders\/7$/]],
    ['Watch', [/^instances\/\w+ passing 127\.0\.0\.1$/, /^1 \d+ [0-9a-f]{16}$/, /^loaded [1-9]\d* [1-9]\d*$/]],
    ['Services', [/^live 0 http:\/\/127\.0\.0\.1:\d+$/]],
    ['Calling', [/^200$/]],
    ['Registration', [/^127\.0\.0\.1 \d+$/]],
    ['While Signalbox is away', [/^live 0$/]],
    ['Development', [/^http:\/\/localhost:3000$/]],
    ['Errors', [/^no-instances undefined undefined$/]],
  ])('what is said under %s comes true', (heading, lines) => {
    const said = saidUnder(heading);
    for (const line of lines) expect(said).toContainEqual(expect.stringMatching(line));
  });
});

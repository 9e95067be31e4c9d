import { beforeAll, expect, test } from '@jest/globals';
import { build, type BuildResult } from 'esbuild';
import { builtinModules } from 'node:module';
import { relative, resolve } from 'node:path';

/** Minified, not compressed. */
const MAX_BYTES = 92_000;

let bundle: BuildResult<{ write: false; metafile: true }>;

beforeAll(async () => {
  bundle = await build({
    entryPoints: [resolve('src/sdk/browser.ts')],
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
});

test('the client for browsers is made of our own files alone: of no package, and of nothing of Node', () => {
  const inputs = Object.keys(bundle.metafile.inputs);
  expect(inputs).toContain('src/sdk/client.ts');
  const strange = inputs.filter((input) => !/^src\/(?:sdk|domain|protocol)\//.test(relative('.', input)));
  expect(strange).toEqual([]);
  const imports = Object.values(bundle.metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path));
  expect(imports).toEqual([]);
  const text = bundle.outputFiles[0]?.text ?? '';
  const builtins = builtinModules.filter(
    (name) => text.includes(`"node:${name}"`) || text.includes(`require("${name}")`),
  );
  expect(builtins).toEqual([]);
  expect(text).not.toMatch(/\bBuffer\.|\bprocess\./);
});

test('it is small', () => {
  const bytes = bundle.outputFiles[0]?.contents.byteLength ?? Infinity;
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(MAX_BYTES);
});

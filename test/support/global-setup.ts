import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHARED_VARIABLE } from './shared-directory.ts';
import { type PrivatePostgres, SERVER_URL_VARIABLE, serverUrl, startPostgres } from './postgres.ts';

declare global {
  var testPostgres: PrivatePostgres | undefined;
  var testShared: string | undefined;
}

/** A directory for what files share, and one server for the whole run, started only when a selected test file needs it. */
export default async function setup(config: {
  rootDir: string;
  testPathPatterns?: { patterns?: string[] };
}): Promise<void> {
  process.env[SHARED_VARIABLE] = globalThis.testShared = mkdtempSync(join(tmpdir(), 'signalbox-shared-'));
  if (serverUrl() || !needed(config.rootDir, config.testPathPatterns?.patterns ?? [])) return;
  globalThis.testPostgres = await startPostgres();
  process.env[SERVER_URL_VARIABLE] = globalThis.testPostgres.url;
}

function needed(rootDir: string, patterns: string[]): boolean {
  const files = readdirSync(`${rootDir}/test`, { recursive: true, encoding: 'utf8' }).map(
    (f) => `${rootDir}/test/${f}`,
  );
  const selected = patterns.map((pattern) => new RegExp(pattern, 'i'));
  return files.some(
    (file) =>
      /\.(pg|acceptance|cluster)\.test\.ts$/.test(file) &&
      (selected.length === 0 || selected.some((pattern) => pattern.test(file))),
  );
}

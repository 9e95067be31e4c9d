import { readFileSync } from 'node:fs';

/** The version of this package: of this command, and of the server that came with it. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

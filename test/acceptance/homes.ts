import { cpSync } from 'node:fs';
import { createDatabase } from '../support/postgres.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { startNode } from './nodes.ts';

/** Where a node keeps what it must not lose; it outlives every node that is started on it. */
export interface Home {
  readonly env: Readonly<Record<string, string>>;
  drop(): Promise<void>;
}

/** A directory that a node has used once. Making a database takes seconds, copying one does not. */
let made: Promise<string> | undefined;

async function makeOnce(): Promise<string> {
  const directory = temporaryDirectory();
  process.on('exit', () => directory.remove());
  const node = await startNode({ DATA_DIR: directory.path });
  await node.stop();
  return directory.path;
}

export async function embeddedHome(): Promise<Home> {
  made ??= makeOnce();
  const directory = temporaryDirectory();
  cpSync(await made, directory.path, { recursive: true });
  return {
    env: { DATA_DIR: directory.path },
    drop: () => {
      directory.remove();
      return Promise.resolve();
    },
  };
}

export async function postgresHome(): Promise<Home> {
  const database = await createDatabase();
  return { env: { DATABASE_URL: database.url }, drop: () => database.drop() };
}

/** For `describe.each`: the two databases that every node can stand on. */
export const HOMES: readonly { readonly database: string; readonly makeHome: () => Promise<Home> }[] = [
  { database: 'the embedded database', makeHome: embeddedHome },
  { database: 'PostgreSQL', makeHome: postgresHome },
];

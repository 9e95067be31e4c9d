import { cpSync } from 'node:fs';
import { runEmbedded } from '../support/embedded.ts';
import { createDatabase } from '../support/postgres.ts';
import { madeOnce } from '../support/shared-directory.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { startNode } from './nodes.ts';

/** Where a node keeps what it must not lose; it outlives every node that is started on it. */
export interface Home {
  readonly env: Readonly<Record<string, string>>;
  /** Runs a statement past every node; where the database is embedded, while none runs on it. */
  run(sql: string): Promise<void>;
  drop(): Promise<void>;
}

/** A directory that a node has used once. Making a database takes up to ten seconds, copying one does not. */
const template = (): Promise<string> =>
  madeOnce('embedded', async (path) => {
    // A new database may wait for a busy disk at its end, and one that is cut off there leaves its lock behind.
    const node = await startNode({ DATA_DIR: path, SHUTDOWN_TIMEOUT: '2m' });
    const code = await node.stop();
    if (code !== 0) throw new Error(`the node ended with ${code}:\n${node.output()}`);
  });

export interface EmbeddedHome extends Home {
  /** The directory. */
  readonly path: string;
}

export async function embeddedHome(): Promise<EmbeddedHome> {
  const { path, remove } = temporaryDirectory();
  cpSync(await template(), path, { recursive: true });
  return {
    env: { DATA_DIR: path },
    path,
    run: (sql) => runEmbedded(path, sql),
    drop: () => {
      remove();
      return Promise.resolve();
    },
  };
}

export async function postgresHome(): Promise<Home> {
  const database = await createDatabase();
  return {
    env: { DATABASE_URL: database.url },
    run: (sql) => database.run(sql),
    drop: () => database.drop(),
  };
}

/** For `describe.each`: the two databases that every node can stand on. */
export const HOMES: readonly { readonly database: string; readonly makeHome: () => Promise<Home> }[] = [
  { database: 'the embedded database', makeHome: embeddedHome },
  { database: 'PostgreSQL', makeHome: postgresHome },
];

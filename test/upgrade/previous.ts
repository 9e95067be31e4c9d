import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import type { Announcement } from '../../src/bus/port.ts';
import type { WatchSession, WatchSessionOptions } from '../../src/cli/watch-session.ts';
import { migrate, migrationsDir } from '../../src/store/migrate.ts';

const DIRECTORY = resolve('test/upgrade/previous');

/** What scripts/freeze-release.ts has noted. */
export interface Release {
  readonly version: string;
  readonly date: string;
  readonly protocol: { readonly name: string; readonly number: number; readonly bus: number };
  readonly migrations: readonly { readonly name: string; readonly sha256: string }[];
}

/** The release before this one. */
export const RELEASE = JSON.parse(readFileSync(join(DIRECTORY, 'release.json'), 'utf8')) as Release;

/** Its server, for `node`. */
export const PROGRAM = join(DIRECTORY, 'dist', 'node.mjs');

/** A store of that release: as much of it as is not for its own contract suite. */
export interface PreviousStore {
  close(): Promise<void>;
}

interface Contract {
  storeContract(
    adapter: string,
    create: () => Promise<{ open(): Promise<PreviousStore>; exclusive: boolean; dispose(): Promise<void> }>,
  ): void;
  openPostgres(options: {
    url: string;
    log?: { info(message: string): void; warn(message: string): void };
  }): Promise<PreviousStore>;
}

/** Its store on PostgreSQL, and the suite that it had to pass. */
export const previousContract = async (): Promise<Contract> => (await import(fileOf('contract'))) as Contract;

interface Peer {
  readonly BUS_PROTOCOL: number;
  encodeAnnouncement(node: string, announcement: Announcement): string;
  decodeAnnouncement(message: string): Announcement;
  /** The watcher of its command line. */
  readonly WatchClient: new (options: WatchSessionOptions) => Pick<WatchSession, 'run' | 'stop'>;
}

/** What it says to other nodes, and how its clients listen. */
export const previousPeer = async (): Promise<Peer> => (await import(fileOf('peer'))) as Peer;

const fileOf = (name: string): string => join(DIRECTORY, 'dist', `${name}.mjs`);

/** Brings a database to what this version makes of it. */
export async function migrateToThis(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    await migrate(pool, migrationsDir());
  } finally {
    await pool.end();
  }
}

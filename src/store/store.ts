import { appendAudit, readAudit, trimAudit } from './audit.ts';
import { commit } from './commit.ts';
import { changesSince } from './log.ts';
import { closeDatabase, type Database } from './database.ts';
import { newEpoch } from './epoch.ts';
import { documents } from './documents.ts';
import { guarded } from './failure.ts';
import { readHead } from './head.ts';
import { leasesTable } from './leases.ts';
import { load } from './load.ts';
import { nodes } from './nodes.ts';
import type { Store } from './port.ts';
import { registrationTokens } from './registration-tokens.ts';
import { sessionRows } from './sessions.ts';
import { trim } from './trim.ts';

/** The port over a PostgreSQL, whichever way it is reached. `birthplace`: the expression that tells where its history began. */
export function createStore(db: Database, birthplace: string): Store {
  let closed: Promise<void> | undefined;
  return {
    head: () => guarded('read the head', () => readHead(db)),
    load: () => guarded('load the catalog', () => load(db)),
    changesSince: (position, limit) => guarded('read the change log', () => changesSince(db, position, limit)),
    commit: (batch) => commit(db, batch),
    trim: (policy) =>
      guarded('trim the change log', async () => {
        await trim(db, policy);
        return readHead(db);
      }),
    appendAudit: (entries) => guarded('write the audit', () => appendAudit(db, entries)),
    readAudit: (filter, page) => guarded('read the audit', () => readAudit(db, filter, page)),
    trimAudit: (before) => guarded('trim the audit', () => trimAudit(db, before)),
    newEpoch: () =>
      guarded('begin a new epoch', async () => {
        await newEpoch(db);
        return readHead(db);
      }),
    registrationTokens: registrationTokens(db),
    documents: documents(db),
    sessions: sessionRows(db),
    nodes: nodes(db),
    leases: (now = () => performance.now()) => leasesTable({ db, birthplace, now }),
    close: () => (closed ??= closeDatabase(db)),
  };
}

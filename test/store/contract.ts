import { afterAll, beforeAll, describe } from '@jest/globals';
import type { Store } from '../../src/store/port.ts';
import { auditContract } from './contract-audit.ts';
import { commitContract } from './contract-commits.ts';
import { documentsContract } from './contract-documents.ts';
import { fenceContract } from './contract-fence.ts';
import { historyContract } from './contract-history.ts';
import { nodesContract } from './contract-nodes.ts';
import { registrationTokenContract } from './contract-registration-tokens.ts';
import { sessionContract } from './contract-sessions.ts';

export interface Subject {
  /** Opens the same data again; only after a close where `exclusive`. */
  open(): Promise<Store>;
  /** Only one store at a time can be open on the data. */
  readonly exclusive: boolean;
  /** What nobody does by way of the port; only after a close where `exclusive`. */
  run(sql: string): Promise<void>;
  dispose(): Promise<void>;
}

export interface Opened {
  store: Store;
  /** Another node's store where there can be one. */
  peer: Store;
  close(): Promise<void>;
  open(): Promise<void>;
}

/** What every adapter of the store port promises. The tests share one database, and each begins where the last one ended. */
export function storeContract(adapter: string, create: () => Promise<Subject>): void {
  describe(`store contract: ${adapter}`, () => {
    let subject: Subject;
    const db: Opened = {
      // Until beforeAll has run.
      store: undefined as unknown as Store,
      peer: undefined as unknown as Store,
      open: async () => {
        db.store = await subject.open();
        db.peer = subject.exclusive ? db.store : await subject.open();
      },
      close: async () => {
        if (db.peer !== db.store) await db.peer.close();
        await db.store.close();
      },
    };
    beforeAll(async () => {
      subject = await create();
      await db.open();
    }, 120_000);
    afterAll(async () => {
      await db.close();
      await subject.dispose();
    });
    commitContract(db);
    historyContract(db);
    registrationTokenContract({
      get store() {
        return db.store.registrationTokens;
      },
      get peer() {
        return db.peer.registrationTokens;
      },
    });
    auditContract(db);
    documentsContract(db);
    sessionContract(db);
    nodesContract({
      get store() {
        return db.store;
      },
      get peer() {
        return db.peer;
      },
      makeOlder: async (prefix, ms) => {
        const by = `interval '${ms} ms'`;
        if (subject.exclusive) await db.close();
        await subject.run(
          `UPDATE node SET heard_at = heard_at - ${by}, started_at = started_at - ${by} WHERE id LIKE '${prefix}%'`,
        );
        if (subject.exclusive) await db.open();
      },
    });
    fenceContract(db);
  });
}

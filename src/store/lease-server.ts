import type { QueryConfig } from 'pg';
import { offsetAfter, offsetSeen, type ClockOffset } from '../domain/server-clock.ts';
import { LeasesAway, type LeasesListener } from '../leases/port.ts';
import { withClient, type Database } from './database.ts';
import { messageOf, storeError } from './failure.ts';
import { StoreUnavailable } from './port.ts';

export interface LeaseServerDeps {
  readonly db: Pick<Database, 'quick'>;
  /** Tells which database on which server, in which line of its history, answers (`birthplaceExpression`). */
  readonly birthplace: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Who has answered. It is a part of every answer, so that nothing is read from a server that is not known. */
interface Witness {
  readonly birthplace: string;
  readonly started: string;
  /** A row of the table itself: it goes with the others when a crash empties it, which no other mark of the server tells. */
  readonly mark: string | null;
  readonly clock: number;
}

/** No key of a lease looks so. */
const MARK = '#server';
const PROBE_MS = 1000;

const MAKE_MARK = `
INSERT INTO lease (key, note, heard_at, touched)
VALUES ('${MARK}', gen_random_uuid()::text, statement_timestamp(), 'infinity') ON CONFLICT (key) DO NOTHING`;

/** How many milliseconds ago the mark was made. NULL: it says nothing of it, or the clock was set back since. */
export const SINCE_MARK = `
(SELECT CASE WHEN heard_at <= statement_timestamp()
             THEN extract(epoch FROM statement_timestamp() - heard_at)::float8 * 1000 END
   FROM lease WHERE key = '${MARK}')`;

/** The server of the leases as this node sees it: whether it answers, and whether it is the one that it was. */
export class LeaseServer {
  readonly #deps: LeaseServerDeps;
  /** Columns for a statement's only row. */
  readonly #witness: string;
  #listener: LeasesListener | undefined;
  #known: (Omit<Witness, 'clock'> & { readonly offset: ClockOffset }) | undefined;
  #away: LeasesAway | undefined;
  #probe: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: LeaseServerDeps) {
    this.#deps = deps;
    this.#witness = `${deps.birthplace} AS birthplace,
       extract(epoch FROM pg_postmaster_start_time())::text AS started,
       (SELECT note FROM lease WHERE key = '${MARK}') AS mark,
       extract(epoch FROM statement_timestamp())::float8 * 1000 AS clock`;
  }

  listen(listener: LeasesListener): void {
    this.#listener = listener;
  }

  /** Runs a statement of one row, which tells beside its own columns who has answered. `values` hears for how long it had to wait. */
  async ask<Row>(
    statement: (witness: string) => Pick<QueryConfig, 'text' | 'name'>,
    values: (waited: number) => unknown[],
  ): Promise<Row> {
    if (this.#closed) throw new LeasesAway('they were closed');
    // Nobody waits for what the probe finds out.
    if (this.#away !== undefined) throw new LeasesAway(this.#away.message, { cause: this.#away });
    try {
      return await this.#exchange<Row>(statement(this.#witness), values);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#probe);
  }

  async #exchange<Row>(query: Pick<QueryConfig, 'text' | 'name'>, values: (waited: number) => unknown[]): Promise<Row> {
    const { db, now } = this.#deps;
    const called = now();
    return withClient(db.quick, async (client) => {
      let asked = now();
      const answer = await client.query<Row & Witness>({ ...query, values: values(asked - called) });
      const [row] = answer.rows as [Row & Witness];
      let witness: Witness = row;
      if (witness.mark === null) {
        await client.query(MAKE_MARK);
        asked = now();
        const again = await client.query<Witness>(`SELECT ${this.#witness}`);
        [witness] = again.rows as [Witness];
      }
      this.#answered(witness, offsetSeen(asked, witness.clock, now()));
      return row;
    });
  }

  #answered({ clock: _, ...who }: Witness, seen: ClockOffset): void {
    if (this.#closed) return;
    if (this.#away !== undefined) {
      this.#away = undefined;
      clearTimeout(this.#probe);
      this.#listener?.onBack();
    }
    const was = this.#known;
    const offset = was && offsetAfter(was.offset, seen);
    this.#known = { ...who, offset: offset ?? seen };
    if (was === undefined) return;
    if (was.birthplace !== who.birthplace) this.#listener?.onLost('another database answers');
    else if (was.started !== who.started) this.#listener?.onLost('the database server has started again');
    else if (was.mark !== who.mark) this.#listener?.onLost('the database server has lost what is not logged');
    else if (offset === undefined)
      this.#listener?.onLost("the database server's clock was set, or this node stood still");
  }

  #failed(error: unknown): unknown {
    const reason = storeError('leases', error);
    if (!(reason instanceof StoreUnavailable)) return error;
    const away = new LeasesAway(messageOf(reason), { cause: reason });
    if (this.#closed || this.#away !== undefined) return away;
    this.#away = away;
    this.#probeLater();
    this.#listener?.onAway(away);
    return away;
  }

  #probeLater(): void {
    this.#probe = setTimeout(() => {
      const statement = { text: `SELECT ${this.#witness}` };
      this.#exchange(statement, () => []).catch(() => {
        if (!this.#closed && this.#away !== undefined) this.#probeLater();
      });
    }, PROBE_MS);
    this.#probe.unref();
  }
}

import type { Known, Leases } from '../leases/port.ts';
import { int8Array, textArray } from './array.ts';
import { storable } from './database.ts';
import { LeaseServer, SINCE_MARK, type LeaseServerDeps } from './lease-server.ts';

/** Of keys that were last touched long ago, so many go at once; each time is a statement of its own. */
const SWEEP = 5000;

/**
 * A time that lies in the future is from before the clock was set back: it counts as now. Otherwise the later of two stands, since a renewal
 * that was under way for long must not shorten a lease.
 */
const RENEW = (witness: string): string => `
WITH renewed AS (
  INSERT INTO lease AS l (key, heard_at, touched)
  SELECT r.key, statement_timestamp() - r.age * interval '1 ms', statement_timestamp()
    FROM unnest($1::text[], $2::bigint[]) AS r (key, age)
  ON CONFLICT (key) DO UPDATE
     SET heard_at = greatest(excluded.heard_at,
                             CASE WHEN l.heard_at > statement_timestamp() THEN statement_timestamp() ELSE l.heard_at END), touched = excluded.touched
)
SELECT ${witness}`;

const NOTE = (witness: string): string => `
WITH noted AS (
  INSERT INTO lease (key, note, touched)
  SELECT n.key, nullif(n.note, ''), statement_timestamp() FROM unnest($1::text[], $2::text[]) AS n (key, note)
  ON CONFLICT (key) DO UPDATE SET note = excluded.note, touched = excluded.touched
)
SELECT ${witness}`;

/** What is said to be heard a second from now or later is from before the clock was set back, and says nothing. */
const READ = (witness: string): string => `
SELECT ${witness}, ${SINCE_MARK} AS since,
       (SELECT json_agg(json_build_array(
                 CASE WHEN l.heard_at < statement_timestamp() + interval '1 s'
                      THEN greatest(0, extract(epoch FROM statement_timestamp() - l.heard_at)::float8 * 1000) END,
                 l.note) ORDER BY k.place)
          FROM unnest($1::text[]) WITH ORDINALITY AS k (key, place) LEFT JOIN lease AS l USING (key)) AS known`;

/** Rows are locked in the order of their keys, as everybody does, so that nobody waits for whoever waits for him. */
const remove = (which: string, witness: string): string => `
WITH found AS (
  SELECT key FROM lease WHERE ${which}
), gone AS (
  DELETE FROM lease USING found WHERE lease.key = found.key RETURNING 1
)
SELECT (SELECT count(*)::int FROM gone) AS gone, ${witness}`;

const FORGET = (witness: string): string =>
  remove('key = ANY ($1::text[]) ORDER BY key COLLATE "C" FOR UPDATE', witness);

const SWEEP_ONCE = (witness: string): string =>
  remove(
    `touched < statement_timestamp() - $1::float8 * interval '1 ms'
      ORDER BY key COLLATE "C" LIMIT ${SWEEP} FOR UPDATE SKIP LOCKED`,
    witness,
  );

/** Leases in the unlogged table `lease`, for nodes that share no Redis (decisions/0019). */
export function leasesTable(deps: LeaseServerDeps): Leases {
  const server = new LeaseServer(deps);
  return {
    renew: async (renewals) => {
      const youngest = new Map<string, number>();
      for (const { key, age } of renewals) youngest.set(key, Math.min(age, youngest.get(key) ?? age));
      if (youngest.size === 0) return;
      const keys = inOrder(youngest);
      const ages = keys.map((key) => Math.max(0, youngest.get(key) ?? 0));
      await server.ask(
        (witness) => ({ text: RENEW(witness), name: 'renew leases' }),
        (waited) => [textArray(keys), int8Array(ages.map((age) => Math.round(age + waited)))],
      );
    },
    read: async (keys) => {
      if (keys.length === 0) return [];
      // Without a name: a plan that was made while the table was small would scan all of it.
      const { known, since } = await server.ask<{
        known: [age: number | null, note: string | null][];
        since: number | null;
      }>(
        (witness) => ({ text: READ(witness) }),
        () => [textArray(keys)],
      );
      return known.map(([age, note]): Known => ({
        age: age ?? undefined,
        note: note ?? undefined,
        since: since ?? undefined,
      }));
    },
    note: async (notes) => {
      const last = new Map(notes.map(({ key, note }) => [key, note]));
      if (last.size === 0) return;
      const keys = inOrder(last);
      await server.ask(
        (witness) => ({ text: NOTE(witness), name: 'note leases' }),
        () => [textArray(keys), textArray(keys.map((key) => storable(last.get(key) ?? '')))],
      );
    },
    forget: async (keys) => {
      if (keys.length === 0) return;
      await server.ask(
        (witness) => ({ text: FORGET(witness) }),
        () => [textArray(keys)],
      );
    },
    sweep: async (olderThanMs) => {
      for (;;) {
        const { gone } = await server.ask<{ gone: number }>(
          (witness) => ({ text: SWEEP_ONCE(witness) }),
          () => [olderThanMs],
        );
        if (gone < SWEEP) return;
      }
    },
    listen: (listener) => server.listen(listener),
    close: () => {
      server.close();
      return Promise.resolve();
    },
  };
}

const inOrder = (byKey: ReadonlyMap<string, unknown>): string[] => [...byKey.keys()].toSorted();

import { NO_MEMBERSHIP, type Membership } from '../domain/membership.ts';
import type { Database } from './database.ts';
import { guarded } from './failure.ts';
import type { Nodes } from './port.ts';

/** A node that has not said anything for so long is nobody's concern any more. */
const FORGOTTEN = '1 hour';

interface RollRow {
  clock: string;
  membership: Membership | null;
  nodes: NodeJson[];
}

interface NodeJson {
  id: string;
  name: string;
  version: string;
  startedAt: number;
  heardAt: number;
  state: Record<string, unknown>;
}

/** Milliseconds since 1970, of a time of the server. */
const ms = (time: string): string => `floor(extract(epoch FROM ${time}) * 1000)::float8`;

/**
 * The rest of the statement sees the table as it was before it: the row that it writes is put beside the others. It waits for nobody:
 * rows that somebody else is writing are not old. Those in the future are from before the server's clock was set back (or of
 * another server): they age from now on, or a node that is dead would be thought alive for as long as the clock was set back. The
 * clock is read after all of that.
 */
const BEAT = `
WITH said AS (
  INSERT INTO node (id, name, version, started_at, heard_at, state)
  VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp(), $4::json)
  ON CONFLICT (id) DO UPDATE SET heard_at = clock_timestamp(), state = excluded.state
  RETURNING id, name, version, started_at, heard_at, state
), old AS (
  SELECT id FROM node WHERE id <> $1 AND heard_at < clock_timestamp() - interval '${FORGOTTEN}' FOR UPDATE SKIP LOCKED
), forgotten AS (
  DELETE FROM node USING old WHERE node.id = old.id
), ahead AS (
  SELECT id FROM node WHERE id <> $1 AND heard_at > clock_timestamp() + interval '1 s' FOR UPDATE SKIP LOCKED
), mended AS (
  UPDATE node SET heard_at = clock_timestamp(), started_at = least(started_at, clock_timestamp())
    FROM ahead WHERE node.id = ahead.id
), everyone AS (
  SELECT * FROM said
  UNION ALL
  SELECT id, name, version, least(started_at, clock_timestamp()), least(heard_at, clock_timestamp()), state FROM node
   WHERE id <> $1 AND heard_at >= clock_timestamp() - interval '${FORGOTTEN}'
)
SELECT ${ms('clock_timestamp()')} AS clock, (SELECT value FROM membership WHERE id = 1) AS membership, roll.nodes
  FROM (SELECT json_agg(json_build_object('id', id, 'name', name, 'version', version,
               'startedAt', ${ms('started_at')}, 'heardAt', ${ms('heard_at')}, 'state', state) ORDER BY id) AS nodes
          FROM everyone) AS roll`;

/** The head row is locked first, so that this waits for the commit that is under way and the next one waits for this. */
const CHANGE = `
WITH moved AS (
  UPDATE head SET term = $1::bigint WHERE id = 1 AND term = $1::bigint - 1 RETURNING 1
)
INSERT INTO membership (id, term, value) SELECT 1, $1::bigint, $2::json FROM moved
ON CONFLICT (id) DO UPDATE SET term = excluded.term, value = excluded.value`;

export function nodes({ quick }: Pick<Database, 'quick'>): Nodes {
  return {
    beat: ({ id, name, version, state }) =>
      guarded('tell the other nodes', async () => {
        const { rows } = await quick.query<RollRow>(BEAT, [id, name, version, JSON.stringify(state)]);
        const [row] = rows as [RollRow];
        return { clock: Number(row.clock), membership: row.membership ?? NO_MEMBERSHIP, nodes: row.nodes };
      }),
    change: (next) =>
      guarded('change the membership', async () => {
        const { rowCount } = await quick.query(CHANGE, [next.term, JSON.stringify(next)]);
        return rowCount === 1;
      }),
    leave: (id) =>
      guarded('leave', async () => {
        await quick.query('DELETE FROM node WHERE id = $1', [id]);
      }),
    membership: () =>
      guarded('read the membership', async () => {
        const { rows } = await quick.query<{ value: Membership }>('SELECT value FROM membership WHERE id = 1');
        return rows[0]?.value ?? NO_MEMBERSHIP;
      }),
  };
}

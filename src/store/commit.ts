import type { QueryConfig } from 'pg';
import { encodeChanges } from '../domain/codec.ts';
import { changeName, type AnyItem, type Change } from '../domain/item.ts';
import { auditValues, insertAudit } from './audit.ts';
import { int4Array, int8Array, jsonArray, textArray, timestampArray } from './array.ts';
import { storable, withClient, type Database } from './database.ts';
import { storeError, wasRolledBack } from './failure.ts';
import type { Batch } from './port.ts';

/**
 * One autocommit statement, one round trip. Everything it writes is joined with the row that the UPDATE of `head`
 * returns. When another commit is under way, the UPDATE waits for it and then, under READ COMMITTED, looks at the row
 * again: the counter has moved, no row is returned, nothing is written (REV1, REV2).
 */
const put = (fence: string): string => `
WITH moved AS (
  UPDATE head SET revision = $3 WHERE id = 1 AND epoch = $1 AND revision = $2${fence} RETURNING 1
), put AS (
  INSERT INTO resource (name, kind, revision, value)
  SELECT r.name, r.kind, r.revision, r.value
    FROM moved, unnest($4::text[], $5::text[], $6::bigint[], $7::json[]) AS r (name, kind, revision, value)
  ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, value = excluded.value
)`;

const PUT = put('');

/** Membership is changed by way of the same row, so a term that is over lets nothing through, whichever of the two comes first. */
const fenced = (parameter: number): string => put(` AND term = $${parameter}::bigint`);

/** With the parameters from `first` on. */
const remove = (first: number): string => `, removed AS (
  DELETE FROM resource USING moved WHERE name = ANY ($${first}::text[])
)`;

/** A batch without audit entries does not even plan it. */
const AUDIT = `, audited AS (
  ${insertAudit(12)} FROM moved
)`;

const APPEND = `
INSERT INTO change_log (revision, at, author, bytes, changes)
SELECT $2::bigint + e.place, e.at, e.author, e.bytes, e.changes
  FROM moved, unnest($8::timestamptz[], $9::text[], $10::int[], $11::json[])
              WITH ORDINALITY AS e (at, author, bytes, changes, place)`;

/** `false` when the counter does not stand at `batch.base` in `batch.epoch`, or the term not at `batch.fence`: nothing was written. */
export async function commit(db: Database, batch: Batch): Promise<boolean> {
  const query = encode(batch);
  let sent = false;
  try {
    const result = await withClient(db.pool, (client) => {
      sent = true;
      return client.query(query);
    });
    return result.rowCount === batch.entries.length;
  } catch (error) {
    throw storeError('commit', error, sent && !wasRolledBack(error));
  }
}

function encode({ epoch, base, entries, audit = [], fence }: Batch): QueryConfig {
  if (entries.length === 0) throw new RangeError('a batch holds at least one entry');
  const { items, gone } = lastStates(entries.flatMap((entry) => entry.changes));
  const changes = entries.map((entry) => encodeChanges(entry.changes));
  entries.forEach((entry, i) => {
    if (entry.revision !== base + 1 + i) throw new RangeError(`revision ${entry.revision} at place ${i} above ${base}`);
  });
  const values: unknown[] = [
    epoch,
    base,
    base + entries.length,
    textArray(items.map((item) => item.name)),
    textArray(items.map((item) => item.kind)),
    int8Array(items.map((item) => item.revision)),
    jsonArray(items.map((item) => item.json)),
    timestampArray(entries.map((entry) => entry.at)),
    textArray(entries.map((entry) => storable(entry.author))),
    int4Array(changes.map((text) => Buffer.byteLength(text))),
    jsonArray(changes),
  ];
  const audited = audit.length > 0 ? AUDIT : '';
  if (audit.length > 0) values.push(...auditValues(audit));
  let name: string | undefined = audited === '' ? 'commit' : 'commit audited';
  let text = PUT;
  if (fence !== undefined) {
    text = fenced(values.push(fence));
    name += ' fenced';
  }
  text += audited;
  if (gone.length > 0) {
    text += remove(values.push(textArray(gone)));
    // Never under a name: a plan that was made while `resource` was small scans the whole table, and it would be kept.
    name = undefined;
  }
  return { text: text + APPEND, values, ...(name !== undefined && { name }) };
}

/** A statement may touch a row once, so of several changes to one name only the last goes into `resource`. */
function lastStates(changes: readonly Change[]): { items: AnyItem[]; gone: string[] } {
  const last = new Map<string, Change>();
  for (const change of changes) last.set(changeName(change), change);
  const items: AnyItem[] = [];
  const gone: string[] = [];
  for (const [name, change] of last) {
    if (change.op === 'put') items.push(change.item);
    else gone.push(name);
  }
  return { items, gone };
}

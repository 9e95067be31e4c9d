import type { AuditEntry, AuditFilter } from '../domain/audit.ts';
import { int8Array, textArray, timestampArray } from './array.ts';
import { storable, withClient, type Database } from './database.ts';
import type { AuditPage } from './port.ts';

const COLUMNS = {
  at: 'timestamptz',
  category: 'text',
  subject: 'text',
  account: 'text',
  project: 'text',
  action: 'text',
  target: 'text',
  service: 'text',
  revision_before: 'bigint',
  revision: 'bigint',
  result: 'text',
  address: 'text',
  request_id: 'text',
  detail: 'text',
} as const;

const NAMES = Object.keys(COLUMNS).join(', ');

/**
 * The rows of `auditValues`, which are the parameters from `first` on. In the list of what is selected, the arrays go in
 * step; as a table, each of the fourteen would be written down before it is read.
 */
export const insertAudit = (first: number): string => `INSERT INTO audit_entry (${NAMES})
  SELECT ${Object.values(COLUMNS)
    .map((type, i) => `unnest($${first + i}::${type}[])`)
    .join(', ')}`;

/** The entries, column by column. */
export function auditValues(entries: readonly AuditEntry[]): Buffer[] {
  const texts = (field: TextField): Buffer =>
    textArray(entries.map(({ [field]: text }) => (text === undefined ? undefined : storable(text))));
  return [
    timestampArray(entries.map((entry) => entry.at)),
    texts('category'),
    texts('subject'),
    texts('account'),
    texts('project'),
    texts('action'),
    texts('target'),
    texts('service'),
    int8Array(entries.map((entry) => entry.before)),
    int8Array(entries.map((entry) => entry.after)),
    texts('result'),
    texts('address'),
    texts('requestId'),
    texts('detail'),
  ];
}

type TextField = Exclude<keyof AuditEntry, 'at' | 'before' | 'after'>;

const APPEND = insertAudit(1);

export async function appendAudit({ pool }: Database, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await withClient(pool, (client) => client.query({ text: APPEND, values: auditValues(entries) }));
}

interface Row {
  at: Date;
  category: AuditEntry['category'];
  subject: string;
  account: string | null;
  project: string | null;
  action: string;
  target: string | null;
  service: string | null;
  revision_before: string | null;
  revision: string | null;
  result: string;
  address: string | null;
  request_id: string | null;
  detail: string | null;
}

/** A question about the past must not be the end of the present: it takes memory for one page, and no lock. */
export async function readAudit({ pool }: Database, filter: AuditFilter, page: AuditPage): Promise<AuditEntry[]> {
  const query = auditQuery(filter, page);
  const { rows } = await withClient(pool, (client) => client.query<Row>(query));
  return rows.map(entryOf);
}

/** Only what is asked for becomes a condition, so that the planner sees which index serves it. */
export function auditQuery(filter: AuditFilter, { before, limit }: AuditPage): { text: string; values: unknown[] } {
  const { category, subject, account, project, action, target, result, services, from, to } = filter;
  const values: unknown[] = [];
  const conditions: string[] = [];
  const where = (condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  for (const [column, text] of Object.entries({ category, subject, account, project, action, target, result })) {
    where((p) => `${column} = ${p}`, text === undefined ? undefined : storable(text));
  }
  where((p) => `service = ANY (${p}::text[])`, services === undefined ? undefined : textArray(services.map(storable)));
  where((p) => `at >= ${p}`, from === undefined ? undefined : new Date(from));
  where((p) => `at < ${p}`, to === undefined ? undefined : new Date(to));
  where((p) => `at <= ${p}`, before && new Date(before.at));
  const filtered = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  // Of the millisecond that the page before has ended in, what was given comes first.
  const ofLast = before === undefined ? '' : ` OFFSET ${Math.trunc(before.given)}`;
  const text = `SELECT ${NAMES} FROM audit_entry ${filtered} ORDER BY at DESC, id LIMIT ${Math.trunc(limit)}${ofLast}`;
  return { text, values };
}

function entryOf(row: Row): AuditEntry {
  const { at, category, subject, action, result } = row;
  return {
    at: at.getTime(),
    category,
    subject,
    ...(row.account !== null && { account: row.account }),
    ...(row.project !== null && { project: row.project }),
    action,
    ...(row.target !== null && { target: row.target }),
    ...(row.service !== null && { service: row.service }),
    ...(row.revision_before !== null && { before: Number(row.revision_before) }),
    ...(row.revision !== null && { after: Number(row.revision) }),
    result,
    ...(row.address !== null && { address: row.address }),
    ...(row.request_id !== null && { requestId: row.request_id }),
    ...(row.detail !== null && { detail: row.detail }),
  };
}

/** Each step is a statement of its own, so that what is written meanwhile never waits long. */
const STEP = 1000;

export async function trimAudit({ prisma }: Database, before: number): Promise<number> {
  let gone = 0;
  for (;;) {
    const count = await prisma.$executeRaw`
      DELETE FROM audit_entry
       WHERE id IN (SELECT id FROM audit_entry WHERE at < ${new Date(before)} ORDER BY at LIMIT ${STEP})`;
    gone += count;
    if (count < STEP) return gone;
  }
}

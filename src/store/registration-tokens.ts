import type { RegistrationToken } from '../domain/registration-token.ts';
import { storable, withClient, type Database } from './database.ts';
import { guarded } from './failure.ts';
import type { RegistrationTokens } from './port.ts';

const COLUMNS = 'id, service, title, hash, created_by, created_at, expires_at, revoked_at';
/** Names the sort of advisory lock, beside the service. */
const LOCK = 0x5b_72_65_67;

interface Row {
  readonly id: string;
  readonly service: string;
  readonly title: string | null;
  readonly hash: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
}

/** With `pg` alone: it sends times with their zone, so that the server's own zone changes nothing. */
export function registrationTokens(db: Database): RegistrationTokens {
  const query = async (text: string, values: readonly unknown[]): Promise<RegistrationToken[]> =>
    (await db.pool.query<Row>(text, [...values])).rows.map(tokenOf);
  return {
    insert: (token, limit, since = 0) => guarded('insert a registration token', () => insert(db, token, limit, since)),
    find: (ids) =>
      guarded('find registration tokens', () =>
        query(`SELECT ${COLUMNS} FROM registration_token WHERE id = ANY ($1::text[])`, [ids]),
      ),
    list: (service, { limit, since = 0, after }) =>
      guarded('list registration tokens', () =>
        query(
          `SELECT ${COLUMNS} FROM registration_token
            WHERE service = $1 AND (created_at, id) > ($2::timestamptz, $3::text) AND created_at >= $5::timestamptz
            ORDER BY created_at, id LIMIT $4`,
          [service, new Date(after?.createdAt ?? 0), after?.id ?? '', limit, new Date(since)],
        ),
      ),
    revoke: (service, id, at) =>
      guarded('revoke a registration token', async () => {
        const [token] = await query(
          `UPDATE registration_token SET revoked_at = coalesce(revoked_at, $3)
            WHERE id = $2 AND service = $1 RETURNING ${COLUMNS}`,
          [service, id, new Date(at)],
        );
        return token;
      }),
    deleteEnded: (before) =>
      guarded('delete registration tokens', async () => {
        const text = 'DELETE FROM registration_token WHERE least(expires_at, revoked_at) < $1';
        return (await db.pool.query(text, [new Date(before)])).rowCount ?? 0;
      }),
  };
}

/** Under a lock, so that however many are made at once, the limit holds. */
function insert({ pool }: Database, token: RegistrationToken, limit: number, since: number): Promise<boolean> {
  const { id, service, title, hash, createdBy, createdAt, expiresAt, revokedAt } = token;
  const created = new Date(createdAt);
  const revoked = revokedAt === undefined ? null : new Date(revokedAt);
  return withClient(pool, async (client) => {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK, service]);
    const { rows } = await client.query<{ live: string }>(
      `SELECT count(*) AS live FROM registration_token
        WHERE service = $1 AND revoked_at IS NULL AND expires_at > $2 AND created_at >= $3`,
      [service, created, new Date(since)],
    );
    const fits = Number(rows[0]?.live) < limit;
    if (fits) {
      await client.query(`INSERT INTO registration_token (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [
        id,
        service,
        title ?? null,
        hash,
        storable(createdBy),
        created,
        new Date(expiresAt),
        revoked,
      ]);
    }
    await client.query('COMMIT');
    return fits;
  });
}

function tokenOf(row: Row): RegistrationToken {
  const { id, service, title, hash, created_by: createdBy, created_at, expires_at, revoked_at } = row;
  return {
    id,
    service,
    ...(title !== null && { title }),
    hash,
    createdBy,
    createdAt: created_at.getTime(),
    expiresAt: expires_at.getTime(),
    ...(revoked_at !== null && { revokedAt: revoked_at.getTime() }),
  };
}

import type { Database } from './database.ts';
import type { Prisma } from './generated/client.ts';
import { guarded } from './failure.ts';
import type { SessionRow, SessionRows } from './port.ts';

interface Row {
  readonly id: string;
  readonly kind: string;
  readonly data: unknown;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

const read = ({ id, kind, data, createdAt, expiresAt }: Row): SessionRow => ({
  id,
  kind: kind as SessionRow['kind'],
  data,
  createdAt: createdAt.getTime(),
  expiresAt: expiresAt.getTime(),
});

/** The table `session`. */
export function sessionRows({ prisma }: Database): SessionRows {
  return {
    insert: ({ id, kind, data, createdAt, expiresAt }) =>
      guarded('write a session', async () => {
        const written = await prisma.$executeRaw`
          INSERT INTO session (id, kind, data, created_at, expires_at)
          VALUES (${id}, ${kind}, ${JSON.stringify(data)}::json, ${new Date(createdAt)}, ${new Date(expiresAt)})
          ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, data = excluded.data,
                 created_at = excluded.created_at, expires_at = excluded.expires_at
           WHERE session.expires_at <= excluded.created_at`;
        return written > 0;
      }),
    read: (ids) =>
      guarded('read a session', async () => {
        const rows = await prisma.session.findMany({ where: { id: { in: [...ids] } } });
        return rows.map(read);
      }),
    update: (id, { data, expiresAt }) =>
      guarded('write a session', async () => {
        const { count } = await prisma.session.updateMany({
          where: { id },
          data: {
            ...(data !== undefined && { data: data as Prisma.InputJsonValue }),
            ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt) }),
          },
        });
        return count > 0;
      }),
    take: (id) =>
      guarded('end a session', async () => {
        const [row] = await prisma.$queryRaw<Row[]>`
          DELETE FROM session WHERE id = ${id}
          RETURNING id, kind, data, created_at AS "createdAt", expires_at AS "expiresAt"`;
        return row && read(row);
      }),
    removeExpired: (before) =>
      guarded('remove old sessions', async () => {
        const { count } = await prisma.session.deleteMany({ where: { expiresAt: { lte: new Date(before) } } });
        return count;
      }),
  };
}

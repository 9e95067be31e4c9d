import type { Head } from '../domain/position.ts';
import type { Database } from './database.ts';
import { StoreUnavailable } from './port.ts';

/** As `pg` and as Prisma read it: they differ in what a bigint becomes. */
export interface HeadRow {
  epoch: string;
  revision: bigint | string;
  trimmed: bigint | string;
}

/** Where the history stands now. */
export async function readHead({ prisma }: Database): Promise<Head> {
  const row = await prisma.head.findUnique({ where: { id: 1 } });
  return row ? headOf(row) : noHead();
}

/** Revisions are small enough for a number: 2^53 of them take longer than anybody waits. */
export function headOf({ epoch, revision, trimmed }: HeadRow): Head {
  return { epoch, revision: Number(revision), trimmed: Number(trimmed) };
}

/** The row is made when the store is opened and never deleted, so the database is being replaced under us. */
export function noHead(): never {
  throw new StoreUnavailable('the database holds no head: is it being restored?');
}

import type { PoolClient } from 'pg';
import { makeItem, type AnyItem } from '../domain/item.ts';
import type { Value } from '../domain/resources.ts';
import type { Head } from '../domain/position.ts';
import { withClient, type Database } from './database.ts';
import { headOf, noHead, type HeadRow } from './head.ts';

/** Each fetch answers within the statement timeout however large the catalog is, and lets other work in between. */
const PAGE = 1000;

/** Head and resources from one snapshot. */
export async function load({ pool }: Database): Promise<{ head: Head; items: AnyItem[] }> {
  return withClient(pool, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const found = await client.query<HeadRow>('SELECT epoch, revision, trimmed FROM head WHERE id = 1');
    const head = found.rows[0] ? headOf(found.rows[0]) : noHead();
    const items = await readItems(client);
    await client.query('COMMIT');
    return { head, items };
  });
}

async function readItems(client: PoolClient): Promise<AnyItem[]> {
  // As text: the encoding that was stored is the one that is kept.
  await client.query('DECLARE resources NO SCROLL CURSOR FOR SELECT value::text FROM resource');
  const items: AnyItem[] = [];
  for (;;) {
    const page = await client.query<[string]>({ text: `FETCH ${PAGE} FROM resources`, rowMode: 'array' });
    for (const [json] of page.rows) items.push(makeItem(JSON.parse(json) as Value, json));
    if (page.rows.length < PAGE) return items;
  }
}

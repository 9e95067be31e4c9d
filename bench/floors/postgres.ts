import pg from 'pg';
import { CpuMeter } from '../lib/cpu.ts';
import type { Bench } from '../lib/bench.ts';
import { medians } from '../lib/stats.ts';

/** What PostgreSQL does by itself, with rows of the size of a change-log entry. */

const BODY = 'x'.repeat(400);
const ROWS = 200;
const MANY = 64;

export interface PostgresFloor {
  /** Single-row commits a second from one connection and from 64. */
  readonly one: number;
  readonly many: number;
  /** Rows a second in statements of 200, each its own commit, from one connection. */
  readonly bulk: number;
  /** Shares of the client while 64 connections commit. */
  readonly clientShare: number;
}

const SINGLE = { name: 'single', text: 'INSERT INTO floor (body) VALUES ($1)', values: [BODY] };
const BULK = {
  name: 'bulk',
  text: 'INSERT INTO floor (body) SELECT * FROM unnest($1::text[])',
  // As the literal it becomes on the wire: the client shall not be what takes the time.
  values: [`{${Array<string>(ROWS).fill(BODY).join(',')}}`],
};

export async function postgresFloor(bench: Bench, notes: string[]): Promise<PostgresFloor> {
  const { url } = await bench.database();
  const clients = await Promise.all(Array.from({ length: MANY }, () => connect(url)));
  try {
    await clients[0]?.query('CREATE TABLE floor (id bigserial PRIMARY KEY, body text NOT NULL)');
    const durationMs = bench.quick ? 700 : 2500;
    const rounds: { one: number; many: number; bulk: number; clientShare: number }[] = [];
    await perSecond(clients, SINGLE, durationMs / 2);
    for (let round = 0; round < bench.rounds; round++) {
      const one = await bench.undisturbed(notes, () => perSecond(clients.slice(0, 1), SINGLE, durationMs));
      const { many, clientShare } = await bench.undisturbed(notes, async () => {
        const meter = new CpuMeter(bench.options.cores);
        return { many: await perSecond(clients, SINGLE, durationMs), clientShare: meter.stop().client };
      });
      const bulk = await bench.undisturbed(notes, () => perSecond(clients.slice(0, 1), BULK, durationMs));
      rounds.push({ one, many, bulk: ROWS * bulk, clientShare });
    }
    return medians(rounds);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ sync: string; commit: string }>(
    `SELECT current_setting('fsync') AS sync, current_setting('synchronous_commit') AS commit`,
  );
  if (rows[0]?.sync !== 'on' || rows[0].commit !== 'on') throw new Error('this PostgreSQL does not sync its commits');
  return client;
}

async function perSecond(clients: readonly pg.Client[], query: pg.QueryConfig, durationMs: number): Promise<number> {
  const started = performance.now();
  const until = started + durationMs;
  const counts = await Promise.all(
    clients.map(async (client) => {
      let count = 0;
      for (; performance.now() < until; count++) await client.query(query);
      return count;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - started) / 1000);
}

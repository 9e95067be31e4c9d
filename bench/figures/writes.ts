import type { Bench, Server } from '../lib/bench.ts';
import {
  apply,
  deploymentBody,
  deploymentPath,
  head,
  manifest,
  SEQUENCE_DIGITS,
  sequenceText,
} from '../lib/catalog.ts';
import type { Figure, Outcome } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { drive, requestBytes, type LoadResult } from '../lib/http-load.ts';
import { medians } from '../lib/stats.ts';
import { postgresFloor } from '../floors/postgres.ts';

const CALLERS = 64;
const REGIONS = 32;

/** etcd's writes a second against what 64 connections to PostgreSQL commit on the machine of the issue. */
export const ETCD_SHARE = 10_900 / 18_400;
/** etcd's p99 in the time that PostgreSQL took for one commit there. */
const ETCD_P99_MS = 16;
const THERE = 18_400;

export const writes: Figure = {
  name: 'writes',
  title: `catalog writes, ${CALLERS} callers, durable on PostgreSQL`,
  async measure(bench: Bench): Promise<Outcome> {
    const notes: string[] = [];
    const floor = await postgresFloor(bench, notes);
    notes.push(`The floors are made by \`pg\` clients that took ${percent(floor.clientShare)} of their core.`);
    const rows = [
      { what: 'PostgreSQL: single-row commits, 1 connection', floor: floor.one, reference: '7,700' },
      { what: 'PostgreSQL: single-row commits, 64 connections', floor: floor.many, reference: '18,400' },
      { what: 'PostgreSQL: rows in 200-row statements', floor: floor.bulk, reference: '79,000' },
    ].map((row) => ({ ...row, unit: 'per second' as const }));
    if (bench.options.floorsOnly) return { rows, notes };

    const server = await bench.signalbox(await bench.database());
    await apply(server.port, manifest(CALLERS, REGIONS));
    const next = requests();
    await drive({ port: server.port, connections: CALLERS, next, warmUpMs: 0, durationMs: 3000 });
    const rounds: { perSecond: number; p50: number; p99: number }[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const { result, cpu, revisions } = await bench.undisturbed(notes, () => once(bench, server, next));
      rounds.push(pick(result));
      const perWrite = (share: number): string => ((share * cpu.seconds * 1e6) / revisions).toFixed(0);
      notes.push(
        `${revisions.toLocaleString('en')} writes, each a revision; of their core Signalbox took ${percent(cpu.server)} and PostgreSQL ${percent(cpu.database)}, ` +
          `so ${perWrite(cpu.server)} and ${perWrite(cpu.database)} µs a write; the client took ${percent(cpu.client)} of its own.`,
      );
    }
    const { perSecond, p50, p99 } = medians(rounds);
    const asMany = 'PostgreSQL, 64 connections';
    return {
      rows: [
        ...rows,
        {
          what: 'writes',
          unit: 'per second',
          floor: floor.many,
          floorName: asMany,
          value: perSecond,
          goal: { atLeastFloors: ETCD_SHARE },
          reference: 'etcd 10,900; Consul 1,400',
        },
        { what: 'writes, p50', unit: 'ms', value: p50 },
        {
          what: 'writes, p99',
          unit: 'ms',
          value: p99,
          goal: { atMost: (ETCD_P99_MS * THERE) / floor.many },
          reference: 'etcd 16',
        },
      ],
      notes,
    };
  },
};

async function once(bench: Bench, server: Server, next: (caller: number) => Buffer) {
  const before = await head(server.port);
  let sent = 0;
  const counted = (caller: number): Buffer => {
    sent += 1;
    return next(caller);
  };
  const durationMs = bench.quick ? 2000 : 6000;
  const load = { port: server.port, connections: CALLERS, next: counted, warmUpMs: 500, durationMs };
  const { result, cpu } = await bench.measure(server, () => drive(load));
  const revisions = (await head(server.port)).revision - before.revision;
  if (revisions !== sent) throw new Error(`${sent} accepted writes made ${revisions} revisions`);
  return { result, cpu, revisions };
}

const pick = ({ perSecond, p50, p99 }: LoadResult) => ({ perSecond, p50, p99 });

/** Each caller writes the deployments of its own service in turn, never twice the same content. */
function requests(): (caller: number) => Buffer {
  const prepared = Array.from({ length: CALLERS }, (_, service) =>
    Array.from({ length: REGIONS }, (_region, region) => {
      const sequence = sequenceText(0);
      const bytes = requestBytes('PUT', deploymentPath(service, region), deploymentBody(service, region, sequence));
      return { bytes, at: bytes.lastIndexOf(sequence) };
    }),
  );
  let written = 0;
  const turns = new Uint32Array(CALLERS);
  return (caller) => {
    const turn = turns[caller] ?? 0;
    turns[caller] = turn + 1;
    const request = prepared[caller]?.[turn % REGIONS];
    if (request === undefined) throw new Error(`there is no caller ${caller}`);
    request.bytes.write(sequenceText(++written), request.at, SEQUENCE_DIGITS, 'latin1');
    return request.bytes;
  };
}

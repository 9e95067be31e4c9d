import type { Select } from '../../src/protocol/frames.ts';
import type { Bench } from '../lib/bench.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { heapBytes } from '../lib/heap.ts';
import { instanceList } from '../lib/instance-list.ts';
import { median } from '../lib/stats.ts';
import { ToldClients } from '../lib/told-clients.ts';

const SELECT: Select = { kind: 'instance', services: ['orders.example.com'], passing: true };
const PARSING = 'JSON.parse in each';

interface Case {
  readonly what: string;
  readonly caches: number;
  readonly items: number;
  /** `service`: with its endpoints and what a pick needs of them. */
  readonly of: 'watch' | 'service';
}

const CASES: readonly Case[] = [
  { what: '1,000 copies of 100 instances', caches: 1000, items: 100, of: 'watch' },
  { what: '1,000 services of 100 instances', caches: 1000, items: 100, of: 'service' },
  { what: '5 copies of 10,000 instances', caches: 5, items: 10_000, of: 'watch' },
];

/** A change that reaches many clients of one process: what it costs each of them, from the text of the frame on, and what their copies take. */
export const caches: Figure = {
  name: 'caches',
  title: 'a change in the copies of many clients of one process, on the core of the load',
  async measure(bench: Bench): Promise<Outcome> {
    const rows: Row[] = [];
    const notes: string[] = [];
    for (const one of CASES) {
      const { floorMs, valueMs, items, copy } = await measured(bench, one);
      rows.push(timed(one, floorMs, valueMs), {
        what: `${one.what}: memory of each`,
        unit: 'KiB',
        floor: items,
        floorName: 'items alone',
        ...(copy !== undefined && { value: copy }),
      });
      if (valueMs !== undefined && copy !== undefined) {
        const each = (1e6 * valueMs) / one.caches;
        const bare = (1e6 * floorMs) / one.caches;
        notes.push(
          `${one.what}: ${each.toFixed(0)} ns in each, of which ${bare.toFixed(0)} are JSON.parse; ${Math.round(1024 * copy).toLocaleString('en')} bytes each.`,
        );
      }
    }
    notes.push(
      'Whole clients, to which the texts are handed that a socket would bring; a bookmark at the end finds each copy right. Changes and ' +
        'the floor by turns; memory is the heap after garbage collections, with the client, which shares nothing with another.',
    );
    return { rows, notes };
  },
};

/** Of few copies, in each of them: all of them take no time that milliseconds could tell. */
function timed({ what, caches: count }: Case, floorMs: number, valueMs: number | undefined): Row {
  const isMany = count >= 100;
  const scale = isMany ? 1 : 1e6 / count;
  return {
    what: `${what}: a change in ${isMany ? 'all' : 'each'} of them`,
    unit: isMany ? 'ms' : 'ns',
    floor: scale * floorMs,
    floorName: PARSING,
    ...(valueMs !== undefined && { value: scale * valueMs }),
  };
}

async function measured(bench: Bench, { caches: count, items: size, of }: Case) {
  const changes = bench.quick ? 32 : 200;
  const list = instanceList(size);
  const text = JSON.stringify(list);
  const before = heapBytes();
  const alone = Array.from({ length: count }, () => JSON.parse(text) as unknown);
  const items = (heapBytes() - before) / count / 1024;
  alone.length = 0;
  const told = new ToldClients(list);
  const texts = Array.from({ length: changes }, () => told.change());
  const bookmark = told.bookmark();
  if (bench.options.floorsOnly) {
    return { items, floorMs: median(texts.map((each) => parsing(each, count))), valueMs: undefined, copy: undefined };
  }

  const empty = heapBytes();
  await told.open(count);
  const held = told.clients.map((client) =>
    of === 'watch' ? client.watch(SELECT) : client.service('orders.example.com'),
  );
  await Promise.all(held.map((one) => one.ready({ timeoutMs: 60_000 })));
  const copy = (heapBytes() - empty) / count / 1024;

  let mismatches = 0;
  for (const client of told.clients) client.on('mismatch', () => (mismatches += 1));
  const [floors, values]: [number[], number[]] = [[], []];
  for (const each of texts) {
    floors.push(parsing(each, count));
    const began = performance.now();
    told.tell(each);
    values.push(performance.now() - began);
  }
  told.tell(bookmark);
  if (mismatches > 0 || held.some(({ state }) => state !== 'live'))
    throw new Error('copies are not what they should be');
  await told.close();
  return { items, copy, floorMs: median(floors), valueMs: median(values) };
}

/** What was parsed last is kept, so that no compiler leaves the work out. */
const kept: { last: unknown } = { last: undefined };

function parsing(text: string, times: number): number {
  const began = performance.now();
  for (let n = 0; n < times; n++) kept.last = JSON.parse(text);
  return performance.now() - began;
}

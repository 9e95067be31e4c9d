import { deliveries } from '../lib/access-fanout.ts';
import { lookups } from '../lib/access-lookups.ts';
import type { Bench } from '../lib/bench.ts';
import type { Comparison } from '../lib/by-turns.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { startSides } from '../lib/sides.ts';

/** What the issue asks for, of lookups and of deliveries per second. */
const SHARE = 0.9;

export const access: Figure = {
  name: 'access',
  title: 'access on and off: the same questions and the same changes, by turns; half of the services are private',
  async measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return { rows: [], notes: [] };
    const rows: Row[] = [];
    const notes = [
      'The floor is a node without access (development mode), beside one whose tokens come from an issuer in the process of the load. ' +
        'What is done in a second of the server’s CPU says what a core of its own would do, and others on the machine hardly touch it; ' +
        'the notes have what was done in a second of the clock, with the median of the ratios of turns that follow each other.',
    ];
    const { sides, end } = await startSides(bench);
    try {
      for (const part of [lookups, deliveries]) {
        for await (const comparison of part(bench, sides)) {
          const row = rowOf(comparison);
          rows.push(row);
          notes.push(noteOf(comparison));
          console.log(`  ${notes.at(-1)}`);
        }
      }
    } finally {
      await end();
    }
    return { rows, notes };
  },
};

function rowOf({ what, unit, compared: { rates, cpuUs } }: Comparison): Row {
  if (unit === 'ms') return { what, unit, floor: rates[0], floorName: 'access off', value: rates[1] };
  const [floor, value] = [1e6 / cpuUs[0], 1e6 / cpuUs[1]];
  return { what, unit, floor, floorName: 'access off', value, goal: { atLeastFloors: SHARE } };
}

function noteOf({ what, unit, compared: { rates, ratio, cpuUs } }: Comparison): string {
  const [off, on] = rates.map((rate) => (unit === 'ms' ? rate.toFixed(1) : Math.round(rate).toLocaleString('en')));
  const cpu = `CPU ${cpuUs[0].toFixed(2)} and ${cpuUs[1].toFixed(2)} µs, ${(cpuUs[0] / cpuUs[1]).toFixed(2)} ×`;
  return `${what}: ${off} off, ${on} on, ${ratio.toFixed(2)} ×; ${cpu}.`;
}

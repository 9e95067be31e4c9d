import { expect, test } from '@jest/globals';
import { PLACES, type FaultRecord, type Sighting } from '../record.ts';
import { modes } from './modes.ts';

const NODES = ['node-0', 'node-1'];
const fault = (kind: string, target: string, forMs: number): FaultRecord => ({
  kind,
  target,
  from: 10_000,
  healed: 10_000 + forMs,
  recovered: 11_000 + forMs,
});
const saw = (node: string, mode: Sighting['saw'], at = 12_000): Sighting[] =>
  PLACES.map((where) => ({ at, node, saw: mode, where }));
const missingAnywhere = (faults: FaultRecord[], sightings: Sighting[][]): string[] =>
  modes(faults, sightings.flat(), NODES).map(({ what }) =>
    what.replace(' was not seen to be', '').replace(/ during .*/, ''),
  );
/** Once each, where it is to be seen in several places. */
const missing = (faults: FaultRecord[], sightings: Sighting[][]): string[] => [
  ...new Set(missingAnywhere(faults, sightings).map((what) => what.replace(/ in .*/, ''))),
];

test('a fault of a server is to be seen at every node, one of a node at that one', () => {
  expect(missing([fault('postgres-crash', 'postgres', 2000)], [saw('node-0', 'database-away')])).toEqual([
    'node-1 database-away',
  ]);
  const redis = fault('refuse-redis', 'node-1', 2000);
  expect(missing([redis], [saw('node-1', 'bus-away'), saw('node-1', 'leases-away')])).toEqual([]);
  expect(missing([redis], [saw('node-1', 'bus-away'), saw('node-0', 'leases-away')])).toEqual(['node-1 leases-away']);
});

test('only what lasts long enough is, and while it lasts', () => {
  expect(missing([fault('refuse-redis', 'node-1', 1000)], [])).toEqual([]);
  expect(missing([fault('partition', 'node-1', 3000)], [])).toHaveLength(3);
  expect(missing([fault('partition', 'node-1', 5000)], [])).toHaveLength(5);
  expect(missing([fault('pause', 'node-1', 5000)], [saw('node-1', 'lost', 9000)])).toEqual(['node-1 lost']);
  const stalls = [{ from: 11_000, until: 13_000 }];
  expect(modes([fault('pause', 'node-1', 5000)], [], NODES, stalls)).toEqual([]);
});

test('a node that does not run says nothing of itself', () => {
  const crash = fault('postgres-crash', 'postgres', 2000);
  expect(missing([crash, fault('kill', 'node-1', 2000)], [saw('node-0', 'database-away')])).toEqual([]);
});

test('what is to be seen is to be seen in each place that tells of the node, and who is lost in those of the others', () => {
  const redis = fault('half-open-redis', 'node-1', 6000);
  for (const [i, where] of PLACES.entries())
    expect(missingAnywhere([redis], [saw('node-1', 'leases-away').toSpliced(i, 1)])).toEqual([
      `node-1 leases-away in ${where}`,
    ]);
  const lost = fault('pause', 'node-1', 6000);
  expect(missingAnywhere([lost], [saw('node-1', 'lost').slice(0, 1)])).toEqual([]);
});

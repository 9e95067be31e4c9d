import { describe, expect, test } from '@jest/globals';
import { metricsOf, readyzOf, type Look } from '../node-look.ts';
import { agree } from './agree.ts';

const fenced = new Map([['fenced', 's1'] as const]);
const later = new Map([['fenced', 's2'] as const]);
const well = new Map<never, never>();
const look = (rest: Partial<Look>): Look => ({
  node: 'node-0',
  n: 1,
  at: 0,
  nodes: fenced,
  readyz: fenced,
  metrics: new Set(['fenced']),
  again: fenced,
  ...rest,
});
const found = (...looks: Partial<Look>[]): string[] => agree(looks.map(look)).map(({ what }) => what);

describe('a node says the same of itself wherever it is asked', () => {
  test('what all say is taken, and what a node says that is not ready', () => {
    expect(found({})).toEqual([]);
    expect(found({ readyz: undefined })).toEqual([]);
    expect(found({ nodes: well, readyz: well, metrics: new Set(), again: well })).toEqual([]);
  });

  test('a mode that stood all the time is to be seen in each place, once complained of', () => {
    expect(found({ readyz: well }, { readyz: well, n: 2 })).toEqual(['node-0 is fenced, and not in /readyz']);
    expect(found({ readyz: later })).toEqual(['node-0 is fenced, and not in /readyz']);
    expect(found({ metrics: new Set() })).toEqual(['node-0 is fenced, and not in /metrics']);
  });

  test('one that came or went between is not', () => {
    const between = { readyz: well, metrics: new Set<never>() };
    expect(found({ ...between, nodes: well })).toEqual([]);
    expect(found({ ...between, again: well })).toEqual([]);
    expect(found({ ...between, again: later })).toEqual([]);
  });

  test('one that only one place tells of, look by look, is not between two questions each time', () => {
    const alone = (n: number, rest: Partial<Look> = {}): Partial<Look> => ({
      n,
      nodes: well,
      readyz: well,
      again: well,
      ...rest,
    });
    expect(found(...[1, 2, 3, 4, 6, 7, 8, 9].map((n) => alone(n)))).toEqual([]);
    expect(found(...[1, 2, 3, 4, 5, 6].map((n) => alone(n)))).toEqual([
      'node-0 is fenced in /metrics, and not in /v1/nodes',
    ]);
    const readyz = [1, 2, 3, 4, 5].map((n) => alone(n, { readyz: fenced, metrics: new Set() }));
    expect(found(...readyz)).toEqual(['node-0 is fenced in /readyz, and not in /v1/nodes']);
  });
});

test('what the places say is read as it is written', () => {
  const text =
    '# TYPE signalbox_degraded gauge\nsignalbox_degraded{mode="fenced"} 1\nsignalbox_degraded{mode="bus-away"} 0\n';
  expect(metricsOf(text)).toEqual(new Set(['fenced']));
  const body = { ready: true, degraded: [{ mode: 'fenced', since: 's1', detail: '' }] };
  expect(readyzOf(JSON.stringify(body))).toEqual(fenced);
  expect(readyzOf('{"ready":true}')).toEqual(well);
  expect(readyzOf('{"ready":false}')).toBeUndefined();
});

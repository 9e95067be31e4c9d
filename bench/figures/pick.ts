import type { Bench } from '../lib/bench.ts';
import type { Figure, Goal, Outcome, Row } from '../lib/figure.ts';
import { median } from '../lib/stats.ts';
import type { Instance } from '../../src/domain/instances/instance.ts';
import type { Service } from '../../src/sdk/api.ts';
import type { InstanceSource } from '../../src/sdk/discovery/endpoint.ts';
import type { BalanceName } from '../../src/sdk/discovery/options.ts';
import { createServices } from '../../src/sdk/discovery/service.ts';

/** Choosing an instance from the copy: what stands before every call, with all features on and nobody left out. */

const FLOOR = 'list[i++ % n]';
const SIZES = [10, 100];
const BATCH = 10_000;
const GOALS: Readonly<Record<BalanceName, Goal | undefined>> = {
  'round-robin': { atLeast: 5_000_000 },
  p2c: { atLeast: 2_000_000 },
  weighted: undefined,
  'least-outstanding': undefined,
  'consistent-hash': undefined,
};
const KEYS = Array.from({ length: 1024 }, (_, n) => `customer-${n}`);

export const pick: Figure = {
  name: 'pick',
  title: 'picking an instance from the copy, in one process, on the core of the load',
  measure(bench: Bench): Promise<Outcome> {
    const rows: Row[] = [];
    for (const size of SIZES) {
      const list = instances(size);
      const array = arrayPicking(list);
      if (bench.options.floorsOnly) {
        rows.push({
          what: `${size} instances`,
          unit: 'per second',
          floor: byTurns(bench, array).floor,
          floorName: FLOOR,
        });
        continue;
      }
      for (const [balance, goal] of Object.entries(GOALS)) {
        const service = serviceOf(list, balance as BalanceName);
        // Keys are chosen beforehand, and looked up by both sides.
        const isKeyed = balance === 'consistent-hash';
        const { floor, value } = byTurns(bench, array, isKeyed ? keyedPicking(service) : picking(service));
        const row: Row = {
          what: `${balance}, ${size} instances`,
          unit: 'per second',
          floor,
          floorName: FLOOR,
          value,
        };
        rows.push(goal === undefined ? row : { ...row, goal });
        service.close();
      }
    }
    const notes = [
      'With slow start, ejection and nearest first; each figure and its floor by turns, in batches of 10,000.',
    ];
    return Promise.resolve({ rows, notes });
  },
};

type Picks = () => unknown;

/** Picks per second of both, the median over turns: neighbours in time have the same disturbances. */
function byTurns(bench: Bench, floor: Picks, picks: Picks = floor): { floor: number; value: number } {
  const turns = bench.quick ? 3 : 9;
  const timesMs = bench.quick ? 50 : 200;
  const rates: { floor: number[]; value: number[] } = { floor: [], value: [] };
  rate(floor, timesMs);
  rate(picks, timesMs);
  for (let turn = 0; turn < turns; turn++) {
    rates.floor.push(rate(floor, timesMs));
    rates.value.push(rate(picks, timesMs));
  }
  return { floor: median(rates.floor), value: median(rates.value) };
}

/** What was picked last is kept, so that no compiler leaves the work out. */
const kept: { last: unknown } = { last: undefined };

function rate(picks: Picks, timesMs: number): number {
  const started = performance.now();
  let count = 0;
  while (performance.now() - started < timesMs) {
    kept.last = picks();
    count += BATCH;
  }
  return (1000 * count) / (performance.now() - started);
}

function arrayPicking(list: readonly Instance[]): Picks {
  let next = 0;
  return () => {
    let sum = 0;
    for (let n = 0; n < BATCH; n++) sum += list[next++ % list.length]?.port ?? 0;
    return sum;
  };
}

function picking(service: Service): Picks {
  return () => {
    let sum = 0;
    for (let n = 0; n < BATCH; n++) sum += service.pick()?.outstanding ?? 1;
    return sum;
  };
}

function keyedPicking(service: Service): Picks {
  return () => {
    let sum = 0;
    for (let n = 0; n < BATCH; n++) sum += service.pick(KEYS[n % KEYS.length])?.outstanding ?? 1;
    return sum;
  };
}

/** Of a service whose instances have answered, with latencies that differ. */
function serviceOf(list: readonly Instance[], balance: BalanceName): Service {
  const source: InstanceSource = {
    instances: list,
    state: 'live',
    age: 0,
    onChange: () => () => {},
    ready: () => Promise.resolve(),
    close: () => {},
  };
  const services = createServices({
    source: () => source,
    caller: () => ({ fetch: () => Promise.reject(new Error('nothing is called')), close: () => {} }),
    now: () => performance.now(),
    random: Math.random,
    addresses: new Set(),
    overrides: {},
    env: {},
    region: 'eu',
    zone: 'a',
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
  const service = services.service('orders.example.com', { balance });
  for (let n = 0; n < 10 * list.length; n++) {
    const endpoint = service.pick(KEYS[n % KEYS.length]);
    endpoint?.begin();
    endpoint?.end('ok', 5 + (n % 7));
  }
  return service;
}

function instances(count: number): Instance[] {
  return Array.from({ length: count }, (_, n) => ({
    name: `instances/${String(n).padStart(24, '0')}`,
    revision: 1,
    createTime: '2026-01-01T00:00:00Z',
    updateTime: '2026-01-01T00:00:00Z',
    service: 'orders.example.com',
    protocol: 'http',
    address: `10.0.0.${n}`,
    port: 8080,
    region: 'eu',
    weight: 1 + (n % 5),
    registeredWeight: 1,
    tags: { zone: 'a' },
    metadata: {},
    check: { type: 'ttl', ttl: '15s', initialStatus: 'passing', deregisterAfter: '1m' },
    detectionBound: '20s',
    generation: 1,
    passing: true,
    status: 'passing',
    statusSince: '2026-01-01T00:00:00Z',
    statusReason: 'It was heard of.',
    mode: 'serving',
  }));
}

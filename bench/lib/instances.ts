import { instanceIdOf } from '../../src/registry/instances.ts';
import { regionId, sequenceText } from './catalog.ts';
import { driveAll } from './drive-all.ts';
import { getJson } from './get-json.ts';
import { requestBytes, type LoadResult } from './http-load.ts';

/** The instances that the figures register: the n-th is always the same one, with an address of its own. */

export const PER_SERVICE = 10;
const CALLERS = 64;
const REGIONS = 3;

/** Longer than any figure, where running out is not what is measured. */
export const LONG_LEASE = { type: 'ttl', ttl: '1h' };

/** Of the instances from `n * PER_SERVICE` on. */
export const runtimeServiceId = (n: number): string => `runtime-${String(n).padStart(5, '0')}.bench.example.com`;

interface Identity {
  readonly service: string;
  readonly environment: string;
  readonly protocol: string;
  readonly address: string;
  readonly port: number;
}

export const identityOf = (n: number): Identity => ({
  service: runtimeServiceId(Math.floor(n / PER_SERVICE)),
  environment: 'prod',
  protocol: 'http',
  address: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
  port: 8080,
});

export const instanceId = (n: number): string => instanceIdOf(identityOf(n));

export interface Details {
  readonly check?: object;
  /** What changes from registration to registration; it has always the same length. */
  readonly sequence?: number;
  /** Where it is, unless that is made of its number. */
  readonly at?: { readonly address: string; readonly port: number };
}

/** The n-th instance as it registers itself. */
export function registration(n: number, { check = LONG_LEASE, sequence = 0, at }: Details = {}): string {
  return JSON.stringify({
    ...identityOf(n),
    ...at,
    version: 'v1',
    region: regionId(n % REGIONS),
    weight: 100,
    tags: { zone: 'a', tier: 'gold' },
    metadata: { commit: '4f0c2d1b', sequence: sequenceText(sequence) },
    check,
  });
}

export const REGISTER_PATH = '/v1/instances';

export const registerRequest = (n: number, details?: Details): Buffer =>
  requestBytes('POST', REGISTER_PATH, registration(n, details));

/** An operator's weight for the n-th instance. */
export const overrideRequest = (n: number, weight: number): Buffer =>
  requestBytes('PUT', `${REGISTER_PATH}/${instanceId(n)}/override`, JSON.stringify({ weight, reason: 'benchmark' }));

/** Registers the instances from `first` on. */
export function registerMany(
  port: number,
  first: number,
  count: number,
  details: (n: number) => Details = () => ({}),
): Promise<LoadResult> {
  return driveAll({ port, connections: CALLERS, count, next: (n) => registerRequest(first + n, details(first + n)) });
}

/** One of those that are not, or none. */
export async function notPassing(port: number): Promise<readonly unknown[]> {
  const path = `${REGISTER_PATH}?pageSize=1&filter=${encodeURIComponent('status != passing')}`;
  return (await getJson<{ items: unknown[] }>(port, path)).items;
}

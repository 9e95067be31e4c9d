import { afterEach } from '@jest/globals';
import type { Select } from '../../src/protocol/frames.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { call, startSignalbox, type Signalbox } from '../support/signalbox.ts';
import { SERVICES } from './random-writer.ts';
import { WatchClient } from './watch-client.ts';

/** Long enough that a machine with other work does not make anybody look silent. */
export const HEARTBEAT = 1000;
export const ENV = { WATCH_HEARTBEAT: `${HEARTBEAT}ms`, TAIL_INTERVAL: '50ms' };

export const SELECTORS: readonly Select[] = [
  { kind: '*' },
  { kind: 'deployment' },
  { kind: 'service', labels: { tier: 'gold' } },
  { kind: '*', labels: { tier: 'silver' } },
  { kind: '*', services: [SERVICES[0] as string, SERVICES[2] as string] },
  { kind: 'deployment', regions: ['eu-west', 'us-west'], labels: { tier: 'gold' } },
  { kind: 'region', regions: ['eu-north'] },
  { kind: 'bundle' },
];

/** What a test started, ended after it in the reverse order. */
export const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

export async function database(): Promise<TestDatabase> {
  const made = await createDatabase();
  leftovers.push(() => made.drop());
  return made;
}

export async function node(env: Record<string, string>, port?: number): Promise<Signalbox> {
  const started = await startSignalbox({ env: { ...ENV, ...env }, ...(port !== undefined && { port }) });
  leftovers.push(() => started.stop('SIGKILL'));
  return started;
}

export async function open(url: string): Promise<WatchClient> {
  const client = await WatchClient.open(url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

export const revisionOf = async (url: string): Promise<number> =>
  (await call(url, 'GET', '/v1/state')).body.revision as number;
export const putRegion = (url: string, id: string, rest: object = {}) =>
  call(url, 'PUT', `/v1/regions/${id}`, { title: id, ...rest });

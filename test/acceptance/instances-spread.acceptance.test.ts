import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { headOf, httpCheck, instance, passingOf, registerAll } from './instance-api.ts';
import { Child } from './instance-child.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const SERVICE = 'many.example.com';
const ADDRESSES = 100;
const PORTS = 20;
const ALL = ADDRESSES * PORTS;
const INTERVAL_MS = 10_000;
/**
 * In no two seconds come more than twice as many as belong in them. Not in no second: a busy machine holds up the node, or the
 * process that is asked, for more than one at times, and makes up for it then. All 2,000 at once would be many more.
 */
const WINDOW_MS = 2000;
const IN_WINDOW = (2 * ALL * WINDOW_MS) / INTERVAL_MS;

/** The shortest time in which so many requests came one after the other, in milliseconds. */
function densest(asked: readonly number[], count: number): number {
  const sorted = asked.toSorted((a, b) => a - b);
  const spans = sorted.slice(count).map((at, i) => at - (sorted[i] ?? 0));
  return Math.min(...spans);
}

describe('2,000 checks, every ten seconds', () => {
  let home: Home;
  let node: Signalbox;
  let child: Child;
  beforeAll(async () => {
    home = await postgresHome();
    node = await startNode(home.env);
    const addresses = Array.from({ length: ADDRESSES }, (_, i) => `127.0.2.${i + 1}`);
    child = await Child.start({ role: 'many', addresses, ports: PORTS });
    const check = httpCheck({ interval: `${INTERVAL_MS}ms`, timeout: '2s', unhealthyAfter: 2 });
    const servers = await child.servers();
    await registerAll(
      node.url,
      servers.map(({ address, port }) => instance(SERVICE, port, { address, check })),
    );
    await until('all pass', async () => (await passingOf(node.url, SERVICE)).length === ALL, 60_000);
  }, 180_000);
  afterAll(async () => {
    await child.kill();
    await node.stop('SIGKILL');
    await home.drop();
  });

  /** Waits for a round and a half, and holds them against an even spread. */
  async function spreadIsEven(): Promise<void> {
    await sleep(1.5 * INTERVAL_MS);
    const asked = await child.asked();
    expect(asked.length).toBeGreaterThan(ALL * 1.3);
    expect(densest(asked, IN_WINDOW)).toBeGreaterThan(WINDOW_MS);
    // Nobody is asked more often than every interval.
    expect(asked.length).toBeLessThanOrEqual(ALL * 2);
  }

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'INS3 after a restart by %s they do not all come at once, and nothing flips',
    async (signal) => {
      // Whatever the end of another test has left behind is over.
      const head = await until('nothing more is committed', async () => {
        const before = await headOf(node.url);
        await sleep(1000);
        return before === (await headOf(node.url)) ? before : undefined;
      });
      await node.stop(signal);
      await child.asked();
      node = await startNode(home.env);
      const witness = await Witness.open(node.url, { kind: 'instance', services: [SERVICE] });
      await spreadIsEven();
      expect(await headOf(node.url)).toBe(head);
      expect(witness.told).toHaveLength(ALL);
      expect(witness.told.filter(({ value }) => value?.passing !== true)).toEqual([]);
      witness.stop();
    },
    60_000,
  );
});

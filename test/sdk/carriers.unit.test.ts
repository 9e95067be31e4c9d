import { afterEach, expect, test } from '@jest/globals';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../src/sdk/api.ts';
import type { Carrier } from '../../src/sdk/connection/link.ts';
import { connect } from '../../src/sdk/index.ts';
import { until } from '../acceptance/until.ts';
import { LiveNode } from '../feed/live-node.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { digestIn } from './link-peer.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

const REGIONS = { kind: 'region' } as const;

async function openNode(): Promise<LiveNode> {
  const node = await LiveNode.open({ limits: { heartbeatMs: 400 } });
  leftovers.push(() => node.close());
  return node;
}

function open(url: string, carrier: Carrier['name'], directory?: string): Client {
  const client = connect({ url, carriers: [carrier], ...(directory !== undefined && { directory }) });
  leftovers.push(() => client.close());
  return client;
}

test.each<[Carrier['name']]>([['websocket'], ['event-stream'], ['long-poll']])(
  'PUSH5 PUSH8 a client over %s holds what the server has, and begins the next time with what it has kept',
  async (carrier) => {
    const home = temporaryDirectory();
    leftovers.push(() => home.remove());
    const node = await openNode();
    await node.put('regions/us');
    const first = open(node.url, carrier, home.path);
    const watch = first.watch(REGIONS);
    await watch.ready();
    await node.put('regions/eu');
    await until('the change', () => watch.snapshot?.position.revision === node.head);
    expect(watch.snapshot?.digest).toBe(digestIn(node.tail.view, REGIONS));
    expect(first.phase).toBe('live');
    await first.close();
    expect(readdirSync(home.path)).toHaveLength(1);
    await node.put('regions/jp');
    const second = open(node.url, carrier, home.path).watch(REGIONS);
    const types: string[] = [];
    second.on('change', ({ type, changes }) => void types.push(`${type} ${changes.length}`));
    await until(
      'what came meanwhile',
      () => second.state === 'live' && second.snapshot?.position.revision === node.head,
    );
    // Without digests nobody would find out that the copy is another caller's: the state is read anew (SEC3).
    expect(types).toEqual(['loaded 2', carrier === 'long-poll' ? 'reloaded 1' : 'changed 1']);
    expect(second.snapshot?.digest).toBe(digestIn(node.tail.view, REGIONS));
  },
);

test('a client that starts while the server is away has what was kept, but not what was damaged, nor what is of another server', async () => {
  const home = temporaryDirectory();
  leftovers.push(() => home.remove());
  const node = await LiveNode.open();
  const { url } = node;
  await node.put('regions/us');
  const before = open(url, 'websocket', home.path);
  await before.watch(REGIONS).ready();
  await before.close();
  await node.close();
  const offline = open(url, 'websocket', home.path).watch(REGIONS);
  expect((await offline.ready()).has('regions/us')).toBe(true);
  expect(offline.state).toBe('stale');
  const elsewhere = open(`http://127.0.0.1:${await freePort()}`, 'websocket', home.path).watch(REGIONS);
  await expect(elsewhere.ready({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
  const [name = ''] = readdirSync(home.path);
  writeFileSync(join(home.path, name), 'nonsense');
  const damaged = open(url, 'websocket', home.path).watch(REGIONS);
  await expect(damaged.ready({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
});

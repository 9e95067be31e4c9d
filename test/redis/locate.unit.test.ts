import { describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { readClusterNodes } from '../../src/redis/cluster-nodes.ts';
import { newest } from '../../src/redis/newest.ts';

describe('what a server of a cluster knows of it', () => {
  const AT = { host: 'asked', port: 1 };
  const TEXT = [
    'a1 10.0.0.1:7000@17000,one.example myself,master - 0 0 3 connected 0-99 200 [150->-b2]',
    'b2 10.0.0.2:7000@17000,two.example,shard-id=x master - 0 1 4 connected 100-199 [200-<-a1]',
    'c3 10.0.0.3:7000@17000 slave b2 0 1 4 connected',
    'd4 10.0.0.4:7000@17000 master,fail - 1 1 1 disconnected 300-16383',
    'e5 :0@0 master,noaddr - 1 1 1 disconnected',
    '',
  ].join('\n');

  test.each([
    [0, '10.0.0.1', 3],
    [99, '10.0.0.1', 3],
    [100, '10.0.0.2', 4],
    [150, '10.0.0.2', 4],
    [200, '10.0.0.1', 3],
    [300, '10.0.0.4', 1],
  ])('slot %i is at %s', (slot, host, epoch) => {
    expect(readClusterNodes(TEXT, slot, AT, false).owner).toEqual({ host, port: 7000, epoch });
  });

  test('nobody may have a slot, and whoever has failed is asked nothing', () => {
    const { owner, nodes } = readClusterNodes(TEXT, 250, AT, false);
    expect(owner).toBeUndefined();
    expect(nodes.map(({ host }) => host)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });

  test('names are taken where certificates have to match, and the asked address where it knows none', () => {
    expect(readClusterNodes(TEXT, 0, AT, true).nodes.map(({ host }) => host)).toEqual([
      'one.example',
      'two.example',
      '10.0.0.3',
    ]);
    expect(readClusterNodes('a1 :7000@17000 myself,master - 0 0 0 connected 0-16383', 5, AT, false).owner).toEqual({
      host: 'asked',
      port: 7000,
      epoch: 0,
    });
  });
});

describe('of several answers', () => {
  const after = async (ms: number, epoch: number) => {
    await sleep(ms);
    return { epoch };
  };
  const never = new Promise<never>(() => undefined);

  test('the newest within the grace counts, and nobody waits for those who say nothing', async () => {
    expect(await newest([after(0, 1), after(20, 2), Promise.reject(new Error('x'))], 10_000)).toEqual({ epoch: 2 });
    expect(await newest([after(0, 1), never, after(20, 2)], 200)).toEqual({ epoch: 2 });
    expect(await newest([after(0, 1), after(300, 2)], 20)).toEqual({ epoch: 1 });
  });

  test('there may be none', async () => {
    await expect(newest([Promise.reject(new Error('why'))], 20)).rejects.toThrow('why');
  });
});

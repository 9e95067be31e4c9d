/** Three masters with a replica each. Knows nothing of Jest. */
import { randomBytes } from 'node:crypto';
import { freePort } from './free-port.ts';
import { type PrivateRedis, startRedis } from './redis.ts';
import { infoOf, run, until } from './redis-sentinel.ts';

export interface TestCluster {
  readonly url: string;
  readonly servers: readonly PrivateRedis[];
  /** The master of the slot of a key or channel, and one of the other two. */
  ownerOf(key: string): Promise<PrivateRedis>;
  otherThan(owner: PrivateRedis): Promise<PrivateRedis>;
  replicaOf(master: PrivateRedis): Promise<PrivateRedis>;
  /** Moves the slot of a key, and all that is in it, to the other master. */
  moveSlotOf(key: string, to: PrivateRedis): Promise<void>;
  destroy(): Promise<void>;
}

const SLOTS = 16_384;
const MASTERS = 3;

export async function startCluster(): Promise<TestCluster> {
  const password = randomBytes(12).toString('hex');
  const started: PrivateRedis[] = [];
  const destroy = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.destroy()));
  };
  const start = async (): Promise<PrivateRedis> => {
    const lines = async (): Promise<readonly string[]> => [
      'cluster-enabled yes',
      'cluster-config-file nodes.conf',
      `cluster-port ${await freePort()}`,
      'cluster-node-timeout 1000',
      'cluster-replica-validity-factor 0',
      `masterauth ${password}`,
      'repl-diskless-sync-delay 0',
    ];
    const server = await startRedis({ password, lines });
    started.push(server);
    return server;
  };
  try {
    const servers = await Promise.all(Array.from({ length: MASTERS * 2 }, start));
    const [first, ...others] = servers;
    if (first === undefined) throw new Error('no server');
    const ids = new Map<PrivateRedis, string>();
    for (const [index, server] of servers.entries()) {
      ids.set(server, String(await run(server, 'CLUSTER', 'MYID')));
      await run(server, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const server of others) {
      const line = String(await run(server, 'CLUSTER', 'NODES'));
      const busPort = /@(\d+)/u.exec(line)?.[1] ?? '';
      await run(first, 'CLUSTER', 'MEET', '127.0.0.1', server.port, busPort);
    }
    const nodesOf = async (server: PrivateRedis): Promise<string[]> =>
      String(await run(server, 'CLUSTER', 'NODES'))
        .trim()
        .split('\n');
    await until(async () => {
      const views = await Promise.all(servers.map(nodesOf));
      return views.every((view) => view.length === servers.length && !view.join().includes('handshake'));
    });
    for (const [index, server] of servers.entries()) {
      const at = index % MASTERS;
      const master = servers[at];
      if (index < MASTERS) {
        const from = Math.floor((SLOTS * at) / MASTERS);
        await run(server, 'CLUSTER', 'ADDSLOTSRANGE', from, Math.floor((SLOTS * (at + 1)) / MASTERS) - 1);
      } else if (master) await run(server, 'CLUSTER', 'REPLICATE', ids.get(master) ?? '');
    }
    await until(async () => {
      const states = await Promise.all(servers.map((server) => run(server, 'CLUSTER', 'INFO')));
      const links = await Promise.all(servers.slice(MASTERS).map((server) => infoOf(server, 'replication')));
      return (
        states.every((state) => /cluster_state:ok[\s\S]*cluster_slots_ok:16384/u.test(String(state))) &&
        links.every((link) => link.includes('master_link_status:up'))
      );
    });

    /** Who answers, and who is what, as the majority would say: as the newest epoch has it. */
    const masters = async (): Promise<Map<PrivateRedis, string>> => {
      const found = new Map<PrivateRedis, string>();
      for (const server of servers) {
        const mine = await nodesOf(server).catch(() => []);
        const me = mine.find((line) => line.includes('myself,master'));
        if (me !== undefined && / connected .*\d/u.test(me)) found.set(server, me);
      }
      return found;
    };
    const ownerOf = async (key: string): Promise<PrivateRedis> => {
      const slot = Number(await run((await masters()).keys().next().value ?? first, 'CLUSTER', 'KEYSLOT', key));
      const holds = (line: string): boolean =>
        line
          .split(' ')
          .slice(8)
          .some((range) => {
            const [from = NaN, to = from] = range.split('-').map(Number);
            return slot >= from && slot <= to;
          });
      const owners = [...(await masters())].filter(([, line]) => holds(line));
      const epoch = (line: string): number => Number(line.split(' ')[6]);
      owners.sort(([, a], [, b]) => epoch(b) - epoch(a));
      const owner = owners[0]?.[0];
      if (owner === undefined) throw new Error(`nobody has the slot of ${key}`);
      return owner;
    };
    return {
      url: `redis+cluster://:${password}@${servers
        .slice(0, MASTERS)
        .map(({ port }) => `127.0.0.1:${port}`)
        .join(',')}`,
      servers,
      ownerOf,
      async otherThan(owner) {
        const other = [...(await masters()).keys()].find((server) => server !== owner);
        if (other === undefined) throw new Error('there is no other master');
        return other;
      },
      async replicaOf(master) {
        const id = ids.get(master) ?? '';
        for (const server of servers) {
          const me = (await nodesOf(server).catch(() => [])).find((line) => line.includes('myself,slave'));
          if (me?.includes(id)) return server;
        }
        throw new Error('it has no replica');
      },
      async moveSlotOf(key, to) {
        const from = await ownerOf(key);
        const slot = Number(await run(from, 'CLUSTER', 'KEYSLOT', key));
        const [fromId, toId] = [ids.get(from) ?? '', ids.get(to) ?? ''];
        await run(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
        await run(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
        const keys = (await run(from, 'CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[];
        if (keys.length > 0) {
          await run(from, 'MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'AUTH', password, 'KEYS', ...keys);
        }
        for (const server of [to, from]) await run(server, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      },
      destroy,
    };
  } catch (error) {
    await destroy();
    throw error;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../support/random.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { Crowd } from './crowd.ts';
import type { Fault } from './faults.ts';
import type { Fleet } from './workers/fleet.ts';

export interface InjectorDeps {
  readonly cluster: Cluster;
  readonly crowd: Crowd;
  readonly fleet: Fleet;
  readonly random: Random;
}

/** Makes a fault happen, and resolves when it is taken away again; all is not well then, but can become so. */
export class Injector {
  readonly #deps: InjectorDeps;

  constructor(deps: InjectorDeps) {
    this.#deps = deps;
  }

  /** `others`: what goes wrong at the same time. */
  async inject(fault: Fault, others: readonly Fault[] = []): Promise<void> {
    if ('node' in fault) return this.#onNode(this.#deps.cluster.nodes[fault.node] as ClusterNode, fault, others);
    const { cluster, crowd, fleet, random } = this.#deps;
    const { postgres, redis } = cluster;
    switch (fault.kind) {
      case 'redis-kill':
        await redis.kill();
        await sleep(fault.forMs);
        return redis.start();
      case 'redis-pause':
        redis.pause();
        await sleep(fault.forMs);
        return redis.resume();
      case 'redis-kill-subscribers':
        await cluster.askRedis('CLIENT', 'KILL', 'TYPE', 'pubsub');
        return;
      case 'postgres-restart':
        await postgres.stop();
        await sleep(fault.forMs);
        return postgres.start();
      case 'postgres-crash':
        await postgres.kill();
        await sleep(fault.forMs);
        return postgres.start();
      case 'postgres-terminate': {
        const until = performance.now() + fault.forMs;
        while (performance.now() < until) {
          await cluster.terminateBackends();
          await sleep(random.below(150));
        }
        return;
      }
      case 'cut-subscribers':
        return crowd.cutSome(0.5);
      case 'stampede':
        return fleet.stampede(fault.forMs);
      default:
    }
  }

  async #onNode(node: ClusterNode, fault: Extract<Fault, { node: number }>, others: readonly Fault[]): Promise<void> {
    const { client, postgres, redis } = node.links;
    const held = async (begin: () => void): Promise<void> => {
      begin();
      await sleep(fault.forMs);
      node.heal();
    };
    switch (fault.kind) {
      case 'kill':
        await node.kill();
        await sleep(fault.forMs);
        return node.spawn();
      case 'stop': {
        const code = await node.stop();
        const { output } = node;
        await sleep(fault.forMs);
        await node.spawn();
        // Without the database it cannot store its last audit entries, nor say that it goes, and says so with its exit code.
        if (code !== 0 && !(code === 1 && others.some(({ kind }) => kind.startsWith('postgres'))))
          throw new Error(`${node.name} was told to end and ended with ${code}: ${output.slice(-2000)}`);
        return;
      }
      case 'pause':
        node.pause();
        await sleep(fault.forMs);
        return node.resume();
      case 'clock':
        node.setClock(fault.offBy);
        await sleep(fault.forMs);
        return node.setClock(0);
      case 'partition':
        return held(() => [postgres, redis].forEach((link) => link.refuse()));
      case 'refuse-redis':
        return held(() => redis.refuse());
      case 'cut-clients':
        return client.cut();
      case 'cut-postgres':
        return postgres.cut();
      case 'half-open-clients':
        return held(() => client.lose(fault.way));
      case 'half-open-postgres':
        return held(() => postgres.lose(fault.way));
      case 'half-open-redis':
        return held(() => redis.lose(fault.way));
      case 'slow-clients':
        return held(() => client.delay(fault.ms, fault.jitterMs));
      case 'slow-postgres':
        return held(() => postgres.delay(fault.ms, fault.jitterMs));
      case 'slow-redis':
        return held(() => redis.delay(fault.ms, fault.jitterMs));
      default:
    }
  }
}

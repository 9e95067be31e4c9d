import { Redis } from 'ioredis';
import { startRedis } from '../../test/support/redis.ts';
import { moveTo, type Cores } from './cores.ts';

export interface BenchRedis {
  readonly url: string;
  readonly pid: number;
  destroy(): Promise<void>;
}

export async function startRedisOn({ server }: Cores): Promise<BenchRedis> {
  const { url, destroy } = await startRedis();
  const pid = await pidOf(url);
  if (server !== undefined) moveTo(server, pid);
  return { url, pid, destroy };
}

async function pidOf(url: string): Promise<number> {
  const client = new Redis(url);
  const about = await client.info('server');
  client.disconnect();
  return Number(/^process_id:(\d+)/m.exec(about)?.[1]);
}

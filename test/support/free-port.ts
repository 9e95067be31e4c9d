import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below what systems give to those who ask for any port, or call somebody: nobody takes one of these between being asked for here and
 * its use, which is seconds for a program that has to start, or while a server is started again.
 */
const FIRST = 11_000;
const OF_EACH = 2500;
/** Workers of a run that choose at the same time; none has more. */
const WORKERS = 8;

const given = new Set<number>();

/** A port on loopback where nobody listens, and that no other worker of the run is given. */
export async function freePort(): Promise<number> {
  const worker = Number(process.env['JEST_WORKER_ID'] ?? 0) % WORKERS;
  for (;;) {
    const port = FIRST + worker * OF_EACH + randomInt(OF_EACH);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}

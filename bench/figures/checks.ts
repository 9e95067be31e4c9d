import { setTimeout as sleep } from 'node:timers/promises';
import { TRIES_OF_LONG, type Bench, type Server } from '../lib/bench.ts';
import { head } from '../lib/catalog.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { getJson } from '../lib/get-json.ts';
import { notPassing, registerMany } from '../lib/instances.ts';
import { loopDelay, percentileOf, readMetrics } from '../lib/metrics.ts';
import type { Asked } from '../targets/listeners.ts';

const COUNT = 5000;
const INTERVAL_MS = 10_000;
const CHECK = { type: 'http', path: '/healthz', interval: `${INTERVAL_MS / 1000}s`, timeout: '2s', unhealthyAfter: 2 };
/** A node may leave so much more than the interval between two checks; one that checks at fixed times of a shared clock leaves none. */
const JITTER = 0.05;
/** So much of the interval later than it is due a check may start. */
const LATENESS_SHARE = 0.1;
const TOLERANCE = JITTER + LATENESS_SHARE;
const LATENESS = 'signalbox_check_lateness_seconds';

export const checks: Figure = {
  name: 'checks',
  title: `${COUNT.toLocaleString('en')} HTTP targets, each checked every ${INTERVAL_MS / 1000} s`,
  async measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return { rows: [], notes: [] };
    const notes = [
      'The targets are sockets on loopback with an address and port each, on the core of the load; the times between two checks are theirs. ' +
        `The lateness is what ${LATENESS} of /metrics took in meanwhile, as evenly spread over each bucket.`,
    ];
    const rows: Row[] = [];
    for (const connections of ['keep', 'close'] as const) {
      rows.push(...(await rowsOf(bench, connections, notes)));
      await bench.endFigure();
    }
    return { rows, notes };
  },
};

async function rowsOf(bench: Bench, connections: 'keep' | 'close', notes: string[]): Promise<Row[]> {
  const targets = await bench.target('listeners.ts', [String(COUNT), connections]);
  const server = await bench.signalbox(await bench.database());
  const addresses = await getJson<{ address: string; port: number }[]>(targets.port, '/');
  await registerMany(server.port, 0, COUNT, (n) => ({ check: CHECK, at: addresses[n] }));
  await untilSteady(server);
  const { result, cpu } = await bench.undisturbed(
    notes,
    () => bench.measure(server, () => watched(bench, server, targets)),
    TRIES_OF_LONG,
  );
  const { asked, lateness, delay } = result;
  const what = connections === 'keep' ? 'connections kept open' : 'a connection each time';
  notes.push(
    `${what}: in ${cpu.seconds.toFixed(0)} s each target was asked ${asked.fewest} to ${asked.most} times, ${asked.mostInASecond.toLocaleString('en')} of them within one second, over ${asked.connections.toLocaleString('en')} new connections; ` +
      `Signalbox took ${percent(cpu.server)} of its core, PostgreSQL and the targets ${percent(cpu.database)} of a core together; its event loop was late by ${delay.p99.toFixed(1)} ms (p99), ${delay.max.toFixed(1)} ms at most; no status changed.`,
  );
  return [
    { what: `${what}: lateness, p99`, unit: 'ms', value: lateness, goal: { atMost: INTERVAL_MS * LATENESS_SHARE } },
    {
      what: `${what}: shortest time between two checks of a target`,
      unit: 'ms',
      value: asked.shortestGap,
      goal: { atLeast: INTERVAL_MS * (1 - TOLERANCE) },
    },
    {
      what: `${what}: longest`,
      unit: 'ms',
      value: asked.longestGap,
      goal: { atMost: INTERVAL_MS * (1 + TOLERANCE) },
    },
    { what: `${what}: CPU`, unit: '% of a core', value: 100 * cpu.server },
  ];
}

/** A new instance is checked more often until something is decided about it; its first check after that is anywhere in an interval. */
async function untilSteady({ port }: Server): Promise<void> {
  const deadline = performance.now() + 3 * INTERVAL_MS;
  for (;;) {
    const items = await notPassing(port);
    if (items.length === 0) break;
    if (performance.now() > deadline) throw new Error(`not all instances pass: ${JSON.stringify(items)}`);
    await sleep(1000);
  }
  await sleep(INTERVAL_MS * (1 + JITTER));
}

async function watched(bench: Bench, { port }: Server, targets: Server) {
  const revision = (await head(port)).revision;
  await getJson(targets.port, '/asked');
  const before = await readMetrics(port);
  await sleep((bench.quick ? 1 : 2) * INTERVAL_MS * (1 + JITTER / 2));
  const after = await readMetrics(port);
  const asked = await getJson<Asked>(targets.port, '/asked');
  const changes = (await head(port)).revision - revision;
  if (changes > 0) throw new Error(`targets that answer well made ${changes} revisions`);
  return { asked, lateness: 1000 * percentileOf(LATENESS, 0.99, before, after), delay: loopDelay(after) };
}

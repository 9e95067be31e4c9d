import type { Bench } from '../lib/bench.ts';
import type { Crowd } from '../lib/crowd.ts';
import type { Figure, Outcome } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { connectAll, type HttpConnection } from '../lib/http-load.ts';
import { median } from '../lib/stats.ts';
import { watchTargets, type Target } from '../lib/target.ts';

const WATCHERS = 1000;
const CHANGES = 1000;
const WRITERS = 32;
/** The frames of so many are kept, and their whole content is checked afterwards. */
const CHECKED = 10;

export const burst: Figure = {
  name: 'burst',
  title: `${WATCHERS.toLocaleString('en')} watchers, ${CHANGES.toLocaleString('en')} changes from ${WRITERS} writers: until all know the final state`,
  async measure(bench: Bench): Promise<Outcome> {
    const targets = await watchTargets(bench);
    const results = new Map(targets.map(({ name }) => [name, [] as number[]]));
    const notes: string[] = [];
    for (const target of targets) await once(target);
    for (let round = 0; round < bench.rounds; round++) {
      for (const target of targets) {
        const { result, cpu } = await bench.undisturbed(notes, () => bench.measure(target.server, () => once(target)));
        results.get(target.name)?.push(result.seconds);
        notes.push(
          `${target.name}: ${result.seconds.toFixed(2)} s, all writes answered after ${result.written.toFixed(2)} s, ${result.frames} messages a watcher; ` +
            `server ${percent(cpu.server)} and database ${percent(cpu.database)} of their core, client ${percent(cpu.client)} of its own.`,
        );
      }
    }
    const values = results.get('signalbox');
    return {
      rows: [
        {
          what: 'time',
          unit: 's',
          floor: median(results.get('floor') ?? []),
          floorName: 'bare ws, one message a change',
          ...(values === undefined ? {} : { value: median(values) }),
          goal: { atMost: 1 },
          reference: 'bare ws 3.6; etcd 1.9 over ten shared connections, 4.1 with one each; Consul 33',
        },
      ],
      notes,
    };
  },
};

async function once(target: Target): Promise<{ seconds: number; written: number; frames: number }> {
  const crowd = target.crowd(WATCHERS, { keepEach: WATCHERS / CHECKED });
  await crowd.open();
  const connections = await connectAll(target.server.port, WRITERS);
  const final = (await target.head()).revision + CHANGES;
  for (const watcher of crowd.watchers) if (watcher.kept) watcher.kept.length = 0;
  const started = performance.now();
  try {
    const writing = write(target, connections).then(() => performance.now());
    await crowd.within(120_000, 'the final state', (resolve) => {
      let left = WATCHERS;
      crowd.onChange = (_watcher, revision): void => {
        if (revision === final && --left === 0) resolve();
      };
      return writing.then(() => {});
    });
    const seconds = (performance.now() - started) / 1000;
    const written = ((await writing) - started) / 1000;
    const frames = crowd.watchers[0]?.kept?.length ?? 0;
    if (target.name === 'signalbox') check(crowd, final);
    return { seconds, written, frames };
  } finally {
    for (const connection of connections) connection.close();
    await crowd.cut();
  }
}

let sequence = 0;

/** Each writer has its own resource, and sends the next write when the last one is answered. */
async function write(target: Target, connections: readonly HttpConnection[]): Promise<void> {
  let left = CHANGES;
  await Promise.all(
    connections.map(async (connection, writer) => {
      while (left-- > 0) {
        const status = await connection.request(target.write(writer, ++sequence));
        if (status >= 300) throw new Error(`a write was answered ${status}: ${connection.failure}`);
      }
    }),
  );
}

/** Every revision of the burst, in order, once. */
function check(crowd: Crowd, final: number): void {
  for (const { kept } of crowd.watchers) {
    if (kept === undefined) continue;
    const revisions = kept.flatMap((frame) =>
      (JSON.parse(frame.toString()) as { changes: { revision: number }[] }).changes.map(({ revision }) => revision),
    );
    const expected = (revision: number, index: number): boolean => revision === final - CHANGES + 1 + index;
    if (revisions.length !== CHANGES || !revisions.every(expected)) {
      throw new Error(`a watcher did not get the ${CHANGES} revisions in order, but ${revisions.length}`);
    }
  }
}

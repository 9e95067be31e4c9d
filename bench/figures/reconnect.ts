import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../lib/bench.ts';
import type { Figure, Outcome } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { HttpConnection } from '../lib/http-load.ts';
import { median } from '../lib/stats.ts';
import { watchTargets, type Target } from '../lib/target.ts';

const WATCHERS = 1000;
/** For the server to notice that the sockets are gone. */
const AWAY_MS = 700;
/** Until both servers run what the compiler made of the way of a connection. */
const WARM_UPS = 3;

export const reconnect: Figure = {
  name: 'reconnect',
  title: `${WATCHERS.toLocaleString('en')} watchers cut off and back at once, with a change made meanwhile: until all have it`,
  async measure(bench: Bench): Promise<Outcome> {
    const targets = await watchTargets(bench);
    const results = new Map(targets.map(({ name }) => [name, [] as number[]]));
    const notes: string[] = [];
    for (let round = -WARM_UPS; round < bench.rounds; round++) {
      for (const target of targets) {
        const { ms, cpu } = await bench.undisturbed(notes, () => once(bench, target));
        if (round < 0) continue;
        results.get(target.name)?.push(ms);
        notes.push(
          `${target.name}: ${ms.toFixed(0)} ms; server ${percent(cpu.server)}, client ${percent(cpu.client)} of a core.`,
        );
      }
    }
    const values = results.get('signalbox');
    return {
      rows: [
        {
          what: 'time',
          unit: 'ms',
          floor: median(results.get('floor') ?? []),
          floorName: 'bare ws: connect, one message each',
          ...(values === undefined ? {} : { value: median(values) }),
          goal: { atMostFloors: 1.5 },
          reference: 'bare ws 283; etcd 259; Consul 551',
        },
      ],
      notes,
    };
  },
};

async function once(bench: Bench, target: Target) {
  const before = target.crowd(WATCHERS);
  await before.open();
  const position = await target.head();
  await before.cut();
  await sleep(AWAY_MS);
  const writer = await HttpConnection.connect(target.server.port);
  const status = await writer.request(target.write(0, (sequence += 1)));
  writer.close();
  if (status >= 300) throw new Error(`the write was answered ${status}: ${writer.failure}`);

  const crowd = target.returning(WATCHERS, position);
  try {
    const { result, cpu } = await bench.measure(target.server, async () => {
      const started = performance.now();
      await crowd.within(60_000, 'the change', (resolve) => {
        let left = WATCHERS;
        crowd.onChange = (watcher, revision): void => {
          if (watcher.revision > position.revision) throw new Error('a watcher was told twice');
          if (revision > position.revision && --left === 0) resolve();
        };
        crowd.connect(WATCHERS);
      });
      return performance.now() - started;
    });
    return { ms: result, cpu };
  } finally {
    await crowd.cut();
  }
}

let sequence = 0;

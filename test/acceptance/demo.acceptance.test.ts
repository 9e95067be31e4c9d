import { afterEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ActionReport, DemoEvent, Summary } from '../../scripts/demo/events.ts';
import { until } from './until.ts';

/** The demo as `npm run demo -- --json` runs it. */
class Demo {
  readonly events: DemoEvent[] = [];
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  #errors = '';

  constructor(...args: readonly string[]) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', 'scripts/demo.ts', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr?.on('data', (text: Buffer) => (this.#errors += text.toString()));
    if (this.#child.stdout === null) throw new Error('no output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line) as DemoEvent);
    });
  }

  get errors(): string {
    return this.#errors;
  }

  of<T extends DemoEvent['type']>(type: T): Extract<DemoEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<DemoEvent, { type: T }> => event.type === type);
  }

  /** Processes that it started, and its directory, as far as they are still there. */
  left(): (number | string)[] {
    const pids = this.of('process').map(({ pid }) => pid);
    const directories = this.of('start').map(({ directory }) => directory);
    return [...pids.filter(isAlive), ...directories.filter((path) => existsSync(path))];
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const demos: Demo[] = [];
function start(...args: readonly string[]): Demo {
  const demo = new Demo(...args);
  demos.push(demo);
  return demo;
}
// Its watchdog ends what it leaves behind.
afterEach(async () => {
  for (const demo of demos.splice(0)) {
    demo.kill('SIGKILL');
    await demo.exited;
  }
});

test('INS1 INS3 INS6 no call fails while instances are drained, stopped, added and restarted, and Signalbox is killed; a death is told in time', async () => {
  const demo = start('--seconds', '25', '--rate', '40', '--seed', '1');
  const code = await demo.exited;
  expect([code, demo.errors]).toEqual([0, '']);
  const actions: ActionReport[] = demo.of('action');
  const polite = actions.filter(({ sort }) => sort === 'graceful');
  expect(polite.filter(({ failed }) => failed > 0)).toEqual([]);
  expect(actions.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['drain', 'kill', 'add', 'stop', 'signalbox']),
  );
  expect(actions.filter(({ lost = 0 }) => lost > 0)).toEqual([]);
  const kills = actions.filter(({ sort }) => sort === 'kill');
  for (const { boundMs = 0, toldMs = Infinity, recoveredMs = 0 } of kills) {
    expect(toldMs).toBeLessThanOrEqual(boundMs);
    expect(recoveredMs).toBeLessThanOrEqual(boundMs);
  }
  const [{ rows, actions: counts, ok }] = demo.of('summary') as [Summary];
  expect([ok, counts.graceful.done, counts.kill.done]).toEqual([true, polite.length, kills.length]);
  // It was put to the test at all: each service was called, the one behind the sidecar and by it included.
  for (const { calls } of rows) expect(calls).toBeGreaterThan(300);
  const of = (service: string): number => rows.find((row) => row.service === service)?.calls ?? 0;
  expect(of('prices')).toBeGreaterThan(of('orders'));
  expect(demo.of('process').length).toBeGreaterThan(10);
  expect(demo.left()).toEqual([]);
}, 150_000);

test.each(['SIGINT', 'SIGKILL'] as const)(
  'nothing of it is left after %s',
  async (signal) => {
    const demo = start('--seconds', '60', '--rate', '20', '--seed', '1');
    await until('it is under way', () => demo.of('sample').length > 2, 60_000);
    expect(demo.left().length).toBeGreaterThan(10);
    demo.kill(signal);
    expect(await demo.exited).toBe(signal === 'SIGINT' ? 0 : null);
    expect(demo.of('summary').length).toBe(signal === 'SIGINT' ? 1 : 0);
    await until('all is gone', () => demo.left().length === 0);
  },
  90_000,
);

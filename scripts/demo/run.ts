import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cast } from './cast.ts';
import { now } from './clock.ts';
import type { ActionReport, Summary } from './events.ts';
import { Figures, SERVICES, type ServiceName } from './figures.ts';
import { Observer } from './observer.ts';
import type { DemoOptions } from './options.ts';
import { perform } from './perform.ts';
import { plan, seeded, sortOf, type Action, type Sort } from './plan.ts';
import { freePort, Processes } from './processes.ts';
import type { Screen } from './screen.ts';
import { SidecarMeter } from './sidecar-meter.ts';

const AT_FIRST: Readonly<Record<ServiceName, number>> = { orders: 2, prices: 3, stock: 2 };
const READY_MS = 60_000;
/** Connections and caches are made before anything is done. */
const WARM_UP_MS = 2000;
const SAMPLE_MS = 500;
/** What callers have seen is told in batches. */
const TOLD_MS = 400;
const SHOWN_FAILURES = 20;

/** Resolves with the exit code, once everything is gone again. */
export async function runDemo(options: DemoOptions, screen: Screen, stop: AbortSignal): Promise<number> {
  const demo = new Demo(options, screen);
  try {
    return await demo.run(stop);
  } finally {
    await demo.end();
  }
}

class Demo {
  readonly #options: DemoOptions;
  readonly #screen: Screen;
  readonly #figures = new Figures();
  readonly #meter = new SidecarMeter(this.#figures);
  readonly #processes: Processes;
  readonly #reports: ActionReport[] = [];
  readonly #ends: (() => unknown)[] = [];
  #cast: Cast | undefined;
  #observer: Observer | undefined;
  #beganAt = now();
  #doing = 'starting';
  /** When what is being done began. */
  #actingSince = Infinity;

  constructor(options: DemoOptions, screen: Screen) {
    this.#options = options;
    this.#screen = screen;
    this.#processes = new Processes(
      (name, pid) => screen.show({ type: 'process', name, pid }),
      (message) => this.#figures.told(message),
    );
  }

  async run(stop: AbortSignal): Promise<number> {
    const stopped = new Promise<'stopped'>((resolve) => {
      stop.addEventListener('abort', () => resolve('stopped'), { once: true });
      if (stop.aborted) resolve('stopped');
    });
    if ((await Promise.race([stopped, this.#start()])) === 'stopped') return 0;
    const { seed, seconds } = this.#options;
    const random = seeded(seed);
    const actions = plan(random);
    const until = this.#beganAt + seconds * 1000;
    await Promise.race([stopped, sleep(WARM_UP_MS)]);
    while (!stop.aborted && now() < until) {
      const { value } = actions.next();
      if ((await Promise.race([stopped, this.#act(value, random)])) === 'stopped') break;
    }
    return this.#summarise() ? 0 : 1;
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
    await this.#processes.end();
  }

  async #start(): Promise<void> {
    const { rate, seed, seconds } = this.#options;
    const cast = (this.#cast = new Cast(this.#processes, await freePort(), hasPython()));
    const again = `--seconds ${seconds} --rate ${rate} --seed ${seed}`;
    const { directory } = this.#processes;
    this.#screen.show({ type: 'start', url: cast.url, again, pid: process.pid, directory });
    if (!cast.python) {
      this.#screen.show({ type: 'note', text: 'There is no python3 here: a plain script of Node stands in for it.' });
    }
    cast.startSignalbox();
    await untilReady(cast);
    const observer = (this.#observer = new Observer(cast.url));
    this.#ends.push(() => observer.close());
    for (const service of SERVICES) for (let n = 0; n < AT_FIRST[service]; n += 1) await cast.start(service);
    for (const unit of cast.units) {
      await observer.until(true, unit, READY_MS).catch((error: unknown) => {
        throw new Error(unit.processes.map(({ name, output }) => `${name}: ${output()}`).join('\n'), { cause: error });
      });
    }
    cast.startLoad(rate);
    this.#beganAt = now();
    this.#doing = 'warming up';
    const sampling = setInterval(() => void this.#sample(), SAMPLE_MS);
    this.#ends.push(() => clearInterval(sampling));
  }

  async #act(action: Action, random: () => number): Promise<void> {
    const { cast, observer } = this;
    const began = (this.#actingSince = now());
    this.#doing = [action.kind, action.service].filter(Boolean).join(' ');
    const { target, ...seen } = await perform(action, { cast, observer, random });
    await sleep(TOLD_MS);
    const failures = this.#figures.between(began, Infinity);
    const times = failures.map(({ at }) => at);
    const report: ActionReport = {
      type: 'action',
      atMs: began - this.#beganAt,
      action: action.kind,
      target,
      sort: sortOf(action),
      failed: failures.length,
      ...(times.length > 0 && {
        windowMs: Math.max(...times) - Math.min(...times),
        recoveredMs: Math.max(...times) - began,
      }),
      ...seen,
      failures: failures.slice(0, SHOWN_FAILURES),
    };
    this.#doing = 'nothing';
    this.#actingSince = Infinity;
    this.#reports.push(report);
    this.#screen.show(report);
  }

  get cast(): Cast {
    if (this.#cast === undefined) throw new Error('not started');
    return this.#cast;
  }

  get observer(): Observer {
    if (this.#observer === undefined) throw new Error('not started');
    return this.#observer;
  }

  async #sample(): Promise<void> {
    const ports = [...this.cast.units].flatMap(({ metricsPort }) => metricsPort ?? []);
    await Promise.all(ports.map((port) => this.#meter.read(port)));
    this.#screen.show({
      type: 'sample',
      atMs: now() - this.#beganAt,
      rows: this.#figures.rows((service) => this.observer.countOf(service)),
      signalbox: this.observer.isLive ? 'up' : 'away',
      now: this.#doing,
    });
  }

  #summarise(): boolean {
    const actions = { graceful: this.#of('graceful'), unseen: this.#of('unseen'), kill: this.#of('kill') };
    const explained = Object.values(actions).reduce((sum, { failed }) => sum + failed, 0);
    // Of an action that was interrupted it is not known what it would have cost.
    const interrupted = this.#figures.between(this.#actingSince, Infinity).length;
    const elsewhere = this.#figures.failures.length - explained - interrupted;
    const summary: Summary = {
      type: 'summary',
      seconds: (now() - this.#beganAt) / 1000,
      rows: this.#figures.rows((service) => this.observer.countOf(service)),
      actions,
      elsewhere,
      ok: actions.graceful.failed === 0 && elsewhere === 0,
    };
    this.#screen.show(summary);
    return summary.ok;
  }

  #of(sort: Sort): Summary['actions'][Sort] {
    const reports = this.#reports.filter((report) => report.sort === sort);
    return {
      done: reports.length,
      failed: reports.reduce((sum, { failed }) => sum + failed, 0),
      longestWindowMs: Math.max(0, ...reports.map(({ windowMs }) => windowMs ?? 0)),
    };
  }
}

const hasPython = (): boolean => spawnSync('python3', ['--version']).status === 0;

async function untilReady(cast: Cast): Promise<void> {
  const deadline = now() + READY_MS;
  for (;;) {
    const ready = await fetch(`${cast.url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
    if (cast.signalbox?.code !== undefined || now() > deadline) {
      throw new Error(`Signalbox does not get ready:\n${cast.signalbox?.output()}`);
    }
    await sleep(50);
  }
}

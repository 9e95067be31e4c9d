import { setTimeout as sleep } from 'node:timers/promises';
import type { Select } from '../../src/protocol/frames.ts';
import { readState, stateOf } from '../acceptance/history.ts';
import { applyWorld, RandomWriter } from '../acceptance/random-writer.ts';
import { Random } from '../support/random.ts';
import type { Answer } from '../support/signalbox.ts';
import { ask } from './ask.ts';
import { Cluster } from './cluster.ts';
import { Crowd } from './crowd.ts';
import { targetOf, timetable, type Fault } from './faults.ts';
import { Injector } from './injector.ts';
import { judge } from './judge.ts';
import { LogReader } from './log-reader.ts';
import { RollWatch } from './roll-watch.ts';
import { isOut, type FaultRecord, type Violation } from './record.ts';
import { Stalls } from './stalls.ts';
import type { Report } from './report.ts';
import { sameState } from './validators/state.ts';
import type { Guard } from './validators/ins4.ts';
import { Fleet, FLEET_SERVICES, LEASE_MS, REGION } from './workers/fleet.ts';
import { ImportWriter } from './workers/import-writer.ts';
import { MarkWriter } from './workers/mark-writer.ts';

export interface RunOptions {
  readonly seed: number;
  readonly forMs: number;
  readonly nodes: number;
  readonly subscribers: number;
  /** Between one fault's recovery and the next fault, at most. */
  readonly quietMs: number;
  /** Only these kinds, where given. */
  readonly kinds?: readonly Fault['kind'][];
  /** A directory for what the nodes say; nothing is kept without. */
  readonly logs?: string | undefined;
  readonly onProgress: (line: string) => void;
}

export const GUARD: Guard = { min: 5, share: 0.5, windowMs: 20_000, holdMs: 120_000 };
const GUARD_ENV = { EVICTION_GUARD_WINDOW: '20s', EVICTION_GUARD_HOLD: '120s' };
/** So small that it is trimmed and read from the database in a run of minutes. */
const HISTORY_ENV = { HISTORY_MEMORY_BYTES: '1MiB', HISTORY_MAX_BYTES: '4MiB' };

/** What subscribers watch; each of the services of instances, and some of the catalog. */
const SELECTS: readonly Select[] = [
  ...FLEET_SERVICES.map((service): Select => ({ kind: 'instance', services: [service] })),
  { kind: 'instance', passing: true },
  { kind: 'instance', regions: [REGION], passing: false },
  { kind: 'deployment' },
  { kind: 'version' },
  { kind: 'service', labels: { tier: 'gold' } },
  { kind: 'region', regions: ['us-east', 'eu-west', 'cov-a'] },
  { kind: 'region' },
  { kind: '*' },
];

/** Nobody waits longer for all to be well again. */
const RECOVERY_MS = 60_000;
const LOOK_MS = 25;
const CATALOG_PAUSE_MS = 100;

/** One run: a cluster, everybody who works on it, and what goes wrong; then what the validators say. Nothing stays behind. */
export async function run(options: RunOptions): Promise<Report> {
  const { seed, nodes, logs } = options;
  const cluster = await Cluster.start({ nodes, seed, logs, env: { ...GUARD_ENV, ...HISTORY_ENV } });
  const one = new Run(cluster, options);
  try {
    return await one.go();
  } finally {
    await one.end();
    await cluster.destroy();
  }
}

class Run {
  readonly #cluster: Cluster;
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly #reader: LogReader;
  readonly #stalls = new Stalls();
  readonly #rolls: RollWatch;
  readonly #faults: FaultRecord[] = [];
  readonly #violations: Violation[] = [];
  readonly #endings: (() => Promise<void>)[] = [];
  #goesOn = true;
  #probes = 0;
  /** All did not become well again, and there is nothing more to be learnt. */
  #isLost = false;

  constructor(cluster: Cluster, options: RunOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#reader = new LogReader(cluster.postgres.url, SELECTS);
    this.#rolls = new RollWatch(cluster.nodes);
  }

  async go(): Promise<Report> {
    const { seed, subscribers, forMs } = this.#options;
    const { nodes } = this.#cluster;
    const first = nodes[0];
    if (first === undefined) throw new Error('a cluster has a node');
    await applyWorld(first.url);
    await ImportWriter.prepare(first.url);
    const reader = this.#reader;
    const crowd = new Crowd({ doors: nodes, reader, selects: SELECTS, size: subscribers, seed });
    this.#endings.push(() => crowd.stop());
    const lastOut = new Map<string, number>();
    reader.onAdvance(() => noteOut(reader, lastOut));
    const fleet = await Fleet.start({
      doors: nodes,
      seed,
      isOut: (name, since) => (lastOut.get(name) ?? -1) >= since,
    });
    this.#endings.push(() => fleet.close());
    const goOn = (): boolean => this.#goesOn;
    const { note } = reader.ledger;
    const marks = nodes.map((_, i) => new MarkWriter(`mark-${seed}-${i}`, nodes, new Random(seed * 31 + i)));
    const imports = nodes.map((_, i) => new ImportWriter(`import-${i}`, nodes, new Random(seed * 37 + i), note));
    const catalog = nodes.map(({ url }, i) => new RandomWriter(url, seed * 41 + i, note));
    const working = Promise.all([
      ...marks.map((one) => one.work(goOn)),
      ...imports.map((one) => one.work(goOn)),
      ...catalog.map((one) => this.#writeCatalog(one, goOn)),
    ]);
    await this.#untilWell(crowd);
    const injector = new Injector({ cluster: this.#cluster, crowd, fleet, random: this.#random });
    const began = performance.now();
    await this.#breakThings(crowd, injector, began + forMs);
    await fleet.stop();
    const ended = performance.now();
    this.#goesOn = false;
    await working;
    await this.#settle(crowd);
    const resources = this.#isLost ? 0 : await this.#compareStates();
    await this.end();
    for (const node of nodes) {
      for (const output of node.crashes) this.#complain('crash', `${node.name} ended by itself`, output);
    }
    const writes = marks.flatMap((one) => one.writes);
    const odd: Pick<Answer, 'status' | 'body'>[] = [...marks, ...imports, fleet].flatMap((one) => one.odd);
    reader.ledger.close();
    const judged = judge({
      writes,
      odd,
      reader,
      crowd,
      fleet,
      faults: this.#faults,
      stalls: this.#stalls.all,
      sightings: this.#rolls.sightings,
      looks: this.#rolls.looks,
      nodes: nodes.map(({ name }) => name),
      checkedFrom: began,
      checkedUntil: ended,
      endedAt: performance.now(),
      guard: GUARD,
    });
    return {
      seed,
      ranMs: performance.now() - began,
      faults: this.#faults,
      violations: [...this.#violations, ...judged.violations],
      detections: judged.detections,
      writes: {
        acknowledged:
          writes.filter(({ outcome }) => outcome === 'acknowledged').length +
          sum(catalog, (one) => one.acknowledged.length) +
          sum(imports, (one) => one.accepted),
        unanswered:
          writes.filter(({ outcome }) => outcome !== 'acknowledged').length +
          sum(catalog, (one) => one.failed) +
          sum(imports, (one) => one.failed),
        heldAgainstLog: reader.ledger.checked,
        refused: sum(catalog, (one) => one.refused) + sum(imports, (one) => one.refused),
      },
      renewals: { acknowledged: fleet.acknowledged, failed: fleet.failed },
      pongs: sum(fleet.lives, ({ signs = [] }) => signs.length),
      deaths: fleet.deaths,
      crowd: { events: crowd.events, frames: crowd.frames, moves: crowd.moves, resets: crowd.resets },
      head: reader.head,
      resources,
      holds: reader.holds.filter(({ group }) => group !== fleet.herd),
      herdHolds: reader.holds.filter(({ group }) => group === fleet.herd),
      looks: this.#rolls.looks.length,
      stalledMs: this.#stalls.longestMs,
    };
  }

  /** Everybody who works or watches ends; also after something unforeseen. */
  async end(): Promise<void> {
    this.#goesOn = false;
    this.#stalls.stop();
    await this.#rolls.stop();
    for (const end of this.#endings.splice(0)) await end();
    await this.#reader.stop();
  }

  async #writeCatalog(writer: RandomWriter, goOn: () => boolean): Promise<void> {
    while (goOn()) {
      await writer.step().catch((error: unknown) => this.#complain('answers', String(error), {}));
      await sleep(this.#random.below(2 * CATALOG_PAUSE_MS));
    }
  }

  /** One step of the schedule after the other; each begins when all is well. */
  async #breakThings(crowd: Crowd, injector: Injector, until: number): Promise<void> {
    const { seed, nodes, kinds, quietMs: longest, onProgress } = this.#options;
    for (const { step, quietMs } of timetable(seed, { nodes, leaseMs: LEASE_MS, quietMs: longest })) {
      if (performance.now() > until || this.#isLost) return;
      const faults = step.filter(({ kind }) => kinds?.includes(kind) ?? true);
      if (faults.length === 0) continue;
      onProgress(faults.map((fault) => JSON.stringify(fault)).join(' + '));
      const from = performance.now();
      const healed = await Promise.all(
        faults.map(async (fault) => {
          await injector
            .inject(
              fault,
              faults.filter((other) => other !== fault),
            )
            .catch((error: unknown) => this.#complain('faults', `${fault.kind}: ${String(error)}`, fault));
          return performance.now();
        }),
      );
      const recovered = await this.#untilWell(crowd);
      for (const [i, fault] of faults.entries()) {
        this.#faults.push({
          kind: fault.kind,
          target: targetOf(fault),
          from,
          healed: healed[i] ?? recovered,
          recovered,
        });
      }
      await sleep(quietMs);
    }
  }

  /**
   * Writes work at every node, everybody stands at least there, and each node says that it is well and hears the others. Answers
   * when that was.
   */
  async #untilWell(crowd: Crowd): Promise<number> {
    const deadline = performance.now() + RECOVERY_MS;
    const revisions = await Promise.all(this.#cluster.nodes.map(({ url }) => this.#probe(url, deadline)));
    const head = Math.max(...revisions);
    while (!crowd.isAt(head)) {
      if (performance.now() > deadline) {
        const behind = crowd.behind(head).map(({ situation }) => situation);
        this.#isLost = true;
        this.#complain('recovery', `${behind.length} subscribers are not at ${head}`, behind.slice(0, 5));
        break;
      }
      await sleep(LOOK_MS);
    }
    if (!this.#isLost) await this.#untilNodesAreWell(deadline);
    return performance.now();
  }

  async #untilNodesAreWell(deadline: number): Promise<void> {
    for (;;) {
      const complaint = await this.#rolls.complaint();
      if (complaint === undefined) return;
      if (performance.now() > deadline) {
        this.#isLost = true;
        return this.#complain('recovery', complaint, this.#rolls.sightings.slice(-10));
      }
      await sleep(LOOK_MS);
    }
  }

  async #probe(url: string, deadline: number): Promise<number> {
    const title = `probe ${(this.#probes += 1)}`;
    const name = `regions/probe-${this.#probes % 50}`;
    for (;;) {
      const answer = await ask(url, 'PUT', `/v1/${name}`, { title }, 2000);
      if (answer !== undefined && answer.status < 300) return Number(answer.headers.get('x-signalbox-revision'));
      if (performance.now() > deadline) {
        this.#isLost = true;
        this.#complain('recovery', `${url} does not take writes`, { status: answer?.status, body: answer?.body });
        return 0;
      }
      await sleep(LOOK_MS);
    }
  }

  /** Until the last of what is under way is in the log and has come to everybody. */
  async #settle(crowd: Crowd): Promise<void> {
    let head: number;
    do {
      head = this.#reader.head;
      await this.#untilWell(crowd);
      await sleep(1000);
      await this.#reader.look();
    } while (!this.#isLost && this.#reader.head > head + this.#cluster.nodes.length);
  }

  /** Each node's whole state is what the log makes, at a moment at which nothing changes. Answers how many resources that is. */
  async #compareStates(): Promise<number> {
    for (const { name, url } of this.#cluster.nodes) {
      let head: number;
      let found: Violation[];
      do {
        await this.#reader.look();
        ({ head } = this.#reader);
        const model = stateOf(this.#reader.view);
        found = sameState(name, await readState(url), model);
        await this.#reader.look();
      } while (this.#reader.head !== head);
      this.#violations.push(...found);
    }
    return this.#reader.view.size;
  }

  #complain(promise: string, what: string, evidence: unknown): void {
    this.#violations.push({ promise, what, evidence });
  }
}

/** When each instance was last seen to be out of service. */
function noteOut(reader: LogReader, lastOut: Map<string, number>): void {
  for (let i = reader.instances.length - 1; i >= 0; i--) {
    const event = reader.instances[i];
    if (event === undefined || event.revision <= (lastOut.get('') ?? 0)) break;
    if (isOut(event) && (lastOut.get(event.name) ?? 0) < event.before) lastOut.set(event.name, event.before);
  }
  lastOut.set('', reader.head);
}

const sum = <T>(values: readonly T[], of: (value: T) => number): number =>
  values.reduce((total, value) => total + of(value), 0);

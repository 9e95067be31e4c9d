import { setTimeout as sleep } from 'node:timers/promises';
import type { Cast, Unit } from './cast.ts';
import { now } from './clock.ts';
import type { Observer } from './observer.ts';
import type { Action } from './plan.ts';
import type { Running } from './processes.ts';

export interface Stage {
  readonly cast: Cast;
  readonly observer: Observer;
  readonly random: () => number;
}

/** What became of an action, apart from the calls. */
export interface Performed {
  /** Whom it was about. */
  readonly target: string;
  /** Milliseconds within which a death has to be told, as the dead one had published it. */
  readonly boundMs?: number;
  /** Milliseconds until it was. */
  readonly toldMs?: number;
  /** Instances that are running and were given up all the same. */
  readonly lost?: number;
}

/** A busy machine takes its time to start a process. */
const STARTED_MS = 30_000;
const ENDED_MS = 20_000;
/** Calls go on for so long before the next step, so that it shows if something is wrong. */
const HOLD_MS = 1000;
const AWAY_MS = 1500;
/** All leases of the demo are 3 s. */
const LEASES_MS = 3000;

/** Does it to a running system. @throws Error where something does not come about that has to. */
export async function perform({ kind, service }: Action, stage: Stage): Promise<Performed> {
  if (service === undefined) return restartSignalbox(stage);
  if (kind === 'add') return add(stage, await stage.cast.start(service));
  const unit = chosen(stage.cast.of(service), stage.random);
  if (kind === 'drain') return drain(stage, unit);
  if (kind === 'stop') return stop(stage, unit);
  if (kind === 'stop-unseen') return stopUnseen(stage, unit);
  if (kind === 'restart') return restart(stage, unit);
  return kill(stage, unit, kind === 'kill' ? 'all' : 'backend');
}

const nameOf = ({ service, port }: Unit): string => `${service}:${port}`;

async function add({ observer }: Stage, unit: Unit): Promise<Performed> {
  await observer.until(true, unit, STARTED_MS);
  await sleep(HOLD_MS);
  return { target: nameOf(unit) };
}

async function drain({ cast, observer }: Stage, unit: Unit): Promise<Performed> {
  await done(cast.cli('drain', `127.0.0.1:${unit.port}`, '--reason', 'the demo'));
  await observer.until(false, unit, ENDED_MS);
  await sleep(HOLD_MS);
  await done(cast.cli('undrain', `127.0.0.1:${unit.port}`));
  await observer.until(true, unit, ENDED_MS);
  await sleep(HOLD_MS);
  return { target: nameOf(unit) };
}

async function stop({ cast }: Stage, unit: Unit): Promise<Performed> {
  await within(ENDED_MS, cast.stop(unit), `${nameOf(unit)} ends after SIGTERM`);
  await sleep(HOLD_MS);
  return { target: nameOf(unit) };
}

/** At the same address and port, so that it is not mistaken for the one before (INS6). */
async function restart(stage: Stage, unit: Unit): Promise<Performed> {
  await within(ENDED_MS, stage.cast.stop(unit), `${nameOf(unit)} ends after SIGTERM`);
  return add(stage, await stage.cast.start(unit.service, unit.port));
}

async function restartSignalbox(stage: Stage): Promise<Performed> {
  const { removed } = stage.observer;
  await signalboxAway(stage);
  await sleep(AWAY_MS);
  await signalboxBack(stage);
  // Whoever was not heard in time is given up by now.
  await sleep(LEASES_MS);
  return { target: 'signalbox', lost: stage.observer.removed - removed };
}

/** It ends while nobody can be told of that: its callers find out by themselves. */
async function stopUnseen(stage: Stage, unit: Unit): Promise<Performed> {
  await signalboxAway(stage);
  await within(ENDED_MS, stage.cast.stop(unit), `${nameOf(unit)} ends after SIGTERM`);
  await sleep(HOLD_MS);
  await signalboxBack(stage);
  await add(stage, await stage.cast.start(unit.service));
  return { target: nameOf(unit) };
}

async function signalboxAway({ cast }: Stage): Promise<void> {
  cast.signalbox?.kill('SIGKILL');
  await cast.signalbox?.exited;
}

async function signalboxBack({ cast, observer }: Stage): Promise<void> {
  cast.startSignalbox();
  await observer.untilTrue(() => observer.isLive, STARTED_MS, 'Signalbox is back');
  await sleep(HOLD_MS);
}

async function kill(stage: Stage, unit: Unit, what: 'all' | 'backend'): Promise<Performed> {
  const { cast, observer } = stage;
  const boundMs = observer.boundOf(unit.service, unit.port);
  if (boundMs === undefined) throw new Error(`${nameOf(unit)} is not registered`);
  const killedAt = now();
  await cast.kill(unit, what);
  await observer.until(false, unit, boundMs + ENDED_MS);
  const toldMs = now() - killedAt;
  await sleep(HOLD_MS);
  // As an orchestrator does it. What is left of a pair ends as well.
  if (what === 'backend') await within(ENDED_MS, cast.stop(unit), `${nameOf(unit)} ends after SIGTERM`);
  await add(stage, await cast.start(unit.service));
  return { target: nameOf(unit), boundMs, toldMs };
}

async function done(process: Running): Promise<void> {
  await within(STARTED_MS, process.exited, `${process.name} ends`);
  if (process.code !== 0) throw new Error(`${process.name} failed:\n${process.output()}`);
}

async function within(ms: number, promise: Promise<void>, what: string): Promise<void> {
  const late = new AbortController();
  const timer = sleep(ms, undefined, { signal: late.signal }).then(
    () => Promise.reject(new Error(`not within ${ms} ms: ${what}`)),
    () => {},
  );
  await Promise.race([promise, timer]);
  late.abort();
}

function chosen(units: readonly Unit[], random: () => number): Unit {
  const unit = units[Math.floor(random() * units.length)];
  if (unit === undefined) throw new Error('there is no instance left');
  return unit;
}

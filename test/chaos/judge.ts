import type { MemberFigures } from './figures.ts';
import type { Record } from './record.ts';

/** A POST that was under way at the killed instance is not done again; what fails later was sent to somebody known to be dead. */
const KILL_WINDOW_MS = 1000;

/** As the SDK has them by default: failures until an instance is left out, and for how long at first. */
const FAILURES = 5;
const OUT_MS = 30_000;

/** Once it is left out, one call tries it again each time, and calls that were on their way when it was left out may too. */
const mostTries = (forMs: number): number => 2 * FAILURES + Math.ceil(forMs / (0.8 * OUT_MS));

/** What should not have been, in words; nothing where all is well. */
export function violationsOf(record: Record): string[] {
  return [...calls(record), ...copies(record), ...caches(record), ...registrations(record)];
}

function figuresOf({ after }: Record, port: number): MemberFigures | undefined {
  return after.members.find((member) => member.port === port)?.figures;
}

/** Calls go on: with retries nothing fails that may be done twice, and nobody stands still. */
function calls(record: Record): string[] {
  const { members, times, looks, ports } = record;
  const wrong: string[] = [];
  for (const { port, figures } of record.after.members) {
    if (port === members.bounded) continue;
    for (const { method, at, code, message } of figures.failures) {
      const isOfTheKill = method === 'POST' && Math.abs(at - times.killedAt) <= KILL_WINDOW_MS;
      if (!isOfTheKill)
        wrong.push(`${port}: a ${method} failed ${at - times.killedAt} ms after the kill: ${code} ${message}`);
    }
  }
  for (const look of looks.filter(({ when }) => when === 'away' || when === 'one is dead')) {
    for (const { port, figures } of look.members) {
      if (port !== members.bounded && figures.answered === 0) wrong.push(`${port}: nothing was answered, ${look.when}`);
    }
  }
  for (const { port, spec, figures } of record.after.members) {
    if (port === members.bounded) continue;
    const tries = figures.unreachable[ports.dead] ?? 0;
    if (spec.balance === 'round-robin' && !figures.ejected.includes(ports.dead)) {
      wrong.push(`${port}: did not leave the dead one out, after ${tries} tries`);
    }
    if (tries > mostTries(times.deadGoneAt - times.killedAt)) wrong.push(`${port}: tried the dead one ${tries} times`);
  }
  return wrong;
}

/** Who starts while Signalbox is away calls from the copy, and sees its age; unless that is more than it wants. */
function copies({ looks, members, maxAge, times, startedAt, after }: Record): string[] {
  const wrong: string[] = [];
  const away = looks.filter(({ at }) => at > times.killedAt && at < times.returnAt);
  const seen = (port: number): MemberFigures[] =>
    away.flatMap((look) => look.members.filter((member) => member.port === port).map(({ figures }) => figures));
  const fromCopy = seen(members.fromCopy);
  const ages = fromCopy.map(({ callee }) => callee.age);
  if (fromCopy.length < 2) wrong.push('too few looks at who started from a copy');
  if (fromCopy.some(({ callee }) => callee.state !== 'stale'))
    wrong.push('a copy from the disk is not said to be stale');
  if ((ages[0] ?? 0) < startedAt.fromCopy - times.awayAt)
    wrong.push('a copy from the disk is said to be younger than it is');
  if (ages.some((age, n) => n > 0 && age <= (ages[n - 1] ?? 0)))
    wrong.push(`its age does not grow: ${ages.join(', ')}`);
  const bounded = seen(members.bounded);
  if (bounded.some(({ answered }) => answered > 0)) wrong.push(`a copy is used although it is older than ${maxAge} ms`);
  const failures = bounded.at(-1)?.failures ?? [];
  if (failures.length === 0) wrong.push('who does not want an old copy was not told that it is old');
  for (const { code } of failures) if (code !== 'stale') wrong.push(`an old copy that is not wanted: ${code}`);
  const since = after.members.find(({ port }) => port === members.bounded)?.figures;
  if (since?.answered === 0) wrong.push('who did not want the old copy does not call with a new one either');
  return wrong;
}

/** All copies are what the server has, at its revision, and none had to be mended. */
function caches({ views, after }: Record): string[] {
  const wrong: string[] = [];
  for (const { topic, epoch, revision, digest, caches: copied } of views) {
    for (const cache of copied) {
      const is = `${cache.epoch} ${cache.revision} ${cache.digest} ${cache.state}`;
      const has = `${epoch} ${revision} ${digest} live`;
      if (is !== has) wrong.push(`${cache.port}: ${topic} is ${is}, and the server has ${has}`);
    }
  }
  for (const { port, figures } of after.members) {
    if (figures.mismatches > 0) wrong.push(`${port}: ${figures.mismatches} copies did not agree with their digest`);
    if (figures.resets > 0) wrong.push(`${port}: ${figures.resets} subscriptions had to start over`);
  }
  return wrong;
}

/** The dead one is gone, the late one is there, and nobody else was given up or had to register again. */
function registrations(record: Record): string[] {
  const wrong: string[] = [];
  const { ports, members, before, told } = record;
  for (const { op, port, passing } of told) {
    const isOut = op === 'delete' || passing !== true;
    if (isOut && port !== undefined && port !== ports.dead) wrong.push(`${port}: was given up`);
    if (!isOut && port !== ports.late) wrong.push(`${port}: was announced again`);
  }
  for (const port of members.first) {
    if (port === ports.dead) continue;
    const was = before.members.find((member) => member.port === port)?.figures.generation;
    const is = figuresOf(record, port);
    if (is?.state !== 'registered' || is.generation !== was) {
      wrong.push(`${port}: ${is?.state}, generation ${was} is now ${is?.generation}`);
    }
  }
  if (figuresOf(record, ports.late)?.state !== 'registered') wrong.push('who started alone is not registered');
  return wrong;
}

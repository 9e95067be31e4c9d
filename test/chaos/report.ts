import { violationsOf } from './judge.ts';
import type { Record } from './record.ts';

/** A record for people, line by line. */
export function linesOf(record: Record): string[] {
  const { options, times, looks, after, views, ports, members, startedAt } = record;
  const answered = looks.flatMap((look) => look.members.map(({ figures }) => figures.answered));
  const awayLooks = looks.filter(({ at }) => at > times.awayAt && at <= times.returnAt);
  const whileAway = awayLooks.flatMap((look) => look.members.map(({ figures }) => figures.answered));
  const failures = after.members
    .filter(({ port }) => port !== members.bounded)
    .flatMap(({ figures }) => figures.failures.map(({ at, method }) => ({ method, after: at - times.killedAt })));
  const slowest = Math.max(...looks.flatMap((look) => look.members.map(({ figures }) => figures.slowestMs)));
  const ejections = after.members.map(({ figures }) => figures.ejected.filter((port) => port === ports.dead).length);
  const tries = after.members.map(({ figures }) => figures.unreachable[ports.dead] ?? 0);
  const first = after.members.find(({ port }) => port === members.fromCopy)?.figures.firstAnswerAt ?? NaN;
  const violations = violationsOf(record);
  return [
    `Signalbox was away for ${seconds(times.returnAt - times.awayAt)} (${options.signal}), and ready again ${seconds(times.readyAt - times.returnAt)} later`,
    `calls answered: ${sum(answered)}, of them ${sum(whileAway)} while it was away; the slowest took ${slowest.toFixed(0)} ms`,
    `calls failed: ${failures.filter(({ method }) => method === 'GET').length} that may be repeated, ${failures.filter(({ method }) => method === 'POST').length} that may not (${failures.map((one) => `${one.after} ms`).join(', ') || 'none'} after the kill)`,
    `the dead one was tried ${sum(tries)} times after its death, and left out ${sum(ejections)} times by ${ejections.filter((count) => count > 0).length} callers`,
    `from the copy on disk: the first answer ${seconds(first - startedAt.fromCopy)} after the start of the process`,
    `after the return: the late one was listed after ${seconds(times.lateAt - times.readyAt)}, the dead one gone after ${seconds(times.deadGoneAt - times.readyAt)}, all caches equal after ${seconds(times.equalAt - times.readyAt)}`,
    ...views.map(
      ({ topic, revision, digest, caches }) => `  ${caches.length} caches of ${topic} at ${revision}: ${digest}`,
    ),
    `violations: ${violations.length}`,
    ...violations.map((violation) => `  ${violation}`),
  ];
}

const sum = (values: readonly number[]): number => values.reduce((whole, value) => whole + value, 0);

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

import type { FaultRecord, Hold, Violation } from './record.ts';

export interface Report {
  readonly seed: number;
  readonly ranMs: number;
  readonly faults: readonly FaultRecord[];
  readonly violations: readonly Violation[];
  /** Milliseconds from each death that was held against the plain bound until the first watcher was told. */
  readonly detections: readonly number[];
  readonly writes: {
    readonly acknowledged: number;
    readonly unanswered: number;
    readonly refused: number;
    /** Resources that answers said were written, beside those of marks, which all are. */
    readonly heldAgainstLog: number;
  };
  readonly renewals: { readonly acknowledged: number; readonly failed: number };
  /** Pings of nodes that attached instances have answered. */
  readonly pongs: number;
  readonly deaths: number;
  readonly crowd: {
    /** Changes that were held against the log, one for each subscriber that was told of it. */
    readonly events: number;
    readonly frames: number;
    readonly moves: number;
    readonly resets: Readonly<Record<string, number>>;
  };
  readonly head: number;
  readonly resources: number;
  /** When the eviction guard held a group whose mass failure was not made on purpose. */
  readonly holds: readonly Hold[];
  /** When it held the herd, whose mass failures were. */
  readonly herdHolds: readonly Hold[];
  /** Looks at a node that said that it is degraded, in each way in which it says so. */
  readonly looks: number;
  readonly stalledMs: number;
}

/** The longest piece of evidence that is printed. */
const SHOWN = 2000;

/** A report for people, line by line. */
export function linesOf(report: Report): string[] {
  const { faults, violations, detections, writes, renewals, crowd } = report;
  const recoveries = faults.map(({ healed, recovered }) => recovered - healed);
  return [
    `seed ${report.seed}, ${seconds(report.ranMs)}, head ${report.head}, ${report.resources} resources`,
    `faults injected: ${faults.length} (${countsOf(faults.map(({ kind }) => kind))})`,
    `writes acknowledged: ${writes.acknowledged} (refused by a rule ${writes.refused}, not answered or 503 ${writes.unanswered}), resources in them held against the log besides marks: ${writes.heldAgainstLog}`,
    `renewals acknowledged: ${renewals.acknowledged} (failed ${renewals.failed}), pings answered by attached instances: ${report.pongs}`,
    `deaths: ${report.deaths}, held against the plain bound ${detections.length}, told after ${spread(detections)}`,
    `deliveries checked: ${crowd.events} in ${crowd.frames} frames (moves ${crowd.moves}, resets ${JSON.stringify(crowd.resets)})`,
    `recovery: ${spread(recoveries)}; the worst: ${worst(faults)}`,
    `the herd died ${faults.filter(({ kind }) => kind === 'stampede').length} times, and the eviction guard held it ${heldText(report.herdHolds)}`,
    `the eviction guard held besides: ${report.holds.length === 0 ? 'never' : report.holds.map(holdText).join(', ')}`,
    `degraded nodes looked at in /v1/nodes, /readyz and /metrics: ${report.looks} times`,
    `the harness itself stood still for ${seconds(report.stalledMs)} at most`,
    `violations: ${violations.length}`,
    ...violations.flatMap(({ promise, what, evidence }) => [
      `  ${promise}: ${what}`,
      `    ${JSON.stringify(evidence)?.slice(0, SHOWN)}`,
    ]),
  ];
}

const holdText = ({ group, from, until }: Hold): string =>
  `${group} ${Number.isFinite(until) ? `for ${seconds(until - from)}` : 'to the end'}`;

function heldText(holds: readonly Hold[]): string {
  const ended = holds.filter(({ until }) => Number.isFinite(until)).map(({ from, until }) => until - from);
  const open = ended.length < holds.length ? ', the last one to the end' : '';
  return `${holds.length} times${ended.length === 0 ? '' : `, for ${seconds(Math.max(...ended))} at most`}${open}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

function spread(values: readonly number[]): string {
  if (values.length === 0) return 'nothing to say';
  const sorted = values.toSorted((a, b) => a - b);
  return `median ${seconds(sorted[sorted.length >> 1] ?? 0)}, worst ${seconds(sorted.at(-1) ?? 0)}`;
}

function worst(faults: readonly FaultRecord[]): string {
  const sorted = faults.toSorted((a, b) => b.recovered - b.healed - (a.recovered - a.healed));
  return sorted
    .slice(0, 3)
    .map(({ kind, target, healed, recovered }) => `${kind} of ${target} ${seconds(recovered - healed)}`)
    .join(', ');
}

function countsOf(kinds: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, n]) => `${kind} ${n}`).join(', ');
}

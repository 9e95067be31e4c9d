import type { Absence, FaultRecord } from './record.ts';

/** What ends nothing and holds up nothing that leases and checks need. */
const HARMLESS: ReadonlySet<string> = new Set([
  'clock',
  'cut-clients',
  'cut-subscribers',
  'half-open-clients',
  'slow-clients',
  'slow-redis',
  'stampede',
  'redis-kill-subscribers',
]);
/** A node notices these as late as a statement is given up, if at all; it has heard every renewal meanwhile. */
const HARDLY_NOTICED: ReadonlySet<string> = new Set(['slow-postgres', 'postgres-terminate', 'half-open-postgres']);
const OF_REDIS: ReadonlySet<string> = new Set(['refuse-redis', 'half-open-redis']);
/**
 * Where no answer comes, an operation is given up after three seconds; before that nothing is known to be wrong, and leases run out
 * at the nodes that look after them.
 */
const SILENT: ReadonlySet<string> = new Set(['half-open-redis', 'redis-pause']);
const NO_ANSWER_MS = 3000;
/** Nodes say with a heartbeat that they have the leases again, and hear with the next that all have them: until then none runs out. */
const HEARD_MS = 1000;

/**
 * When leases and checks were not looked after as they should be, through faults of the run itself; the bound (INS1) does not run
 * then. Signalbox is there while one node is, with PostgreSQL, and for leases with Redis: the fault of a single node is no
 * absence where nodes share the work. A node that cannot reach Redis keeps everybody's leases from running out, so that is one for
 * leases, and for checks it is none.
 */
export function absencesOf(
  faults: readonly FaultRecord[],
  { nodes, end }: { readonly nodes: number; readonly end: 'healed' | 'recovered' },
): Absence[] {
  const harmful = faults.filter(
    (fault) =>
      !HARMLESS.has(fault.kind) &&
      (end === 'recovered' || !(isHardlyNoticed(fault) || mayHaveKeptNothing(fault, faults))),
  );
  const stretch = (fault: FaultRecord): Absence => ({
    from: end === 'healed' && SILENT.has(fault.kind) ? fault.from + NO_ANSWER_MS : fault.from,
    until: fault[end] + (end === 'recovered' && isOfLeases(fault) ? HEARD_MS : 0),
    why: `${fault.kind} ${fault.target}`,
    ofLeasesOnly: isOfLeases(fault),
  });
  const whole = harmful
    .filter((fault) => isWhole(fault) || (end === 'recovered' && isAwayOnReturn(fault)))
    .map(stretch);
  const ofNodes = harmful.filter(({ target }) => target.startsWith('node-'));
  return [
    ...whole,
    ...allAtOnce(ofNodes, nodes).map((fault) => ({ ...stretch(fault), ofLeasesOnly: false, isOfAllNodes: true })),
  ].toSorted(byTime);
}

/**
 * A node that was cut off from everything says, when it is heard again, that it has not reached Redis yet: until it has, nobody's lease
 * runs out (decisions/0018).
 */
const isAwayOnReturn = ({ kind }: FaultRecord): boolean => kind === 'partition';

/** What was not noticed extends no lease, and nothing that was acknowledged is lost. */
const isHardlyNoticed = ({ kind, from, healed }: FaultRecord): boolean =>
  HARDLY_NOTICED.has(kind) || (SILENT.has(kind) && healed - from < NO_ANSWER_MS);

/**
 * A node that cannot reach Redis, and is not heard of either, is as one that has never reached it: it acknowledges nothing that it
 * cannot store, and the others do not wait for it (decisions/0018). What it was not heard for is an absence of its own, or none.
 */
function mayHaveKeptNothing(fault: FaultRecord, faults: readonly FaultRecord[]): boolean {
  const silences = (other: FaultRecord): boolean =>
    ![...HARMLESS, 'slow-postgres'].includes(other.kind) &&
    other !== fault &&
    [fault.target, 'postgres'].includes(other.target);
  const isAtOnce = (other: FaultRecord): boolean => other.from < fault.recovered && other.recovered > fault.from;
  return OF_REDIS.has(fault.kind) && faults.some((other) => silences(other) && isAtOnce(other));
}

function isWhole({ kind, target }: FaultRecord): boolean {
  return target === 'postgres' || isOfRedis({ kind, target });
}

const isOfLeases = (fault: FaultRecord): boolean => isOfRedis(fault) || isAwayOnReturn(fault);

const isOfRedis = ({ kind, target }: Pick<FaultRecord, 'kind' | 'target'>): boolean =>
  target === 'redis' || OF_REDIS.has(kind);

/** Faults during which no node was left that none of them is about. */
function allAtOnce(faults: readonly FaultRecord[], nodes: number): FaultRecord[] {
  return faults.filter((fault) => {
    const together = faults.filter(({ from, recovered }) => from < fault.recovered && recovered > fault.from);
    return new Set(together.map(({ target }) => target)).size >= nodes;
  });
}

const byTime = (a: Absence, b: Absence): number => a.from - b.from;

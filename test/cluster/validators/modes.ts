import { PLACES, type FaultRecord, type Sighting, type Stretch, type Violation } from '../record.ts';

/** What a fault is to show of the node that it is about (of a server: of every node), if it lasts so long. */
interface Expected {
  readonly saw: Sighting['saw'];
  readonly afterMs: number;
}

/** Connections that are refused are noticed at once; a look, a tick and a heartbeat are a second. */
const AT_ONCE_MS = 1500;
/** Without an answer an operation on Redis is given up after three seconds, and a heartbeat after two and a half. */
const NO_ANSWER_MS = 5000;
/** Two thirds of NODE_TIMEOUT, after a heartbeat. */
const FENCED_MS = 3500;
/** NODE_TIMEOUT, and the heartbeat of whoever looks. */
const LOST_MS = 4500;

const seen = (afterMs: number, ...all: Sighting['saw'][]): Expected[] => all.map((saw) => ({ saw, afterMs }));
const REDIS_GONE = seen(AT_ONCE_MS, 'bus-away', 'leases-away');
const REDIS_SILENT = seen(NO_ANSWER_MS, 'leases-away');
const POSTGRES_GONE = seen(AT_ONCE_MS, 'database-away');

const EXPECTED: Readonly<Record<string, readonly Expected[]>> = {
  kill: seen(LOST_MS, 'lost'),
  pause: seen(LOST_MS, 'lost'),
  partition: [...REDIS_GONE, ...POSTGRES_GONE, ...seen(FENCED_MS, 'fenced'), ...seen(LOST_MS, 'lost')],
  'refuse-redis': REDIS_GONE,
  'half-open-redis': REDIS_SILENT,
  'redis-kill': REDIS_GONE,
  'redis-pause': REDIS_SILENT,
  'half-open-postgres': seen(FENCED_MS, 'fenced'),
  'postgres-restart': POSTGRES_GONE,
  'postgres-crash': POSTGRES_GONE,
};

/** Each fault that lasted long enough was seen as the mode that it causes, wherever the node that it was about says how it is. */
export function modes(
  faults: readonly FaultRecord[],
  sightings: readonly Sighting[],
  nodes: readonly string[],
  stalls: readonly Stretch[] = [],
): Violation[] {
  return faults.flatMap((fault) => {
    const { kind, target, from, healed, recovered } = fault;
    const lost = stalls.filter((stall) => stall.from < healed && stall.until > from);
    const lasted = healed - from - lost.reduce((sum, stall) => sum + stall.until - stall.from, 0);
    const about = nodes.includes(target) ? [target] : nodes;
    const expected = (EXPECTED[kind] ?? []).filter(({ afterMs }) => lasted >= afterMs);
    const during = sightings.filter(({ at }) => at >= from && at <= recovered);
    return about.flatMap((node) =>
      // A node that does not run, for another fault, says nothing of itself.
      expected
        .filter(({ saw }) => saw === 'lost' || !isSilent(node, fault, faults))
        .flatMap(({ saw }) => (saw === 'lost' ? PLACES.slice(0, 1) : PLACES).map((where) => ({ saw, where })))
        .filter(({ saw, where }) => !during.some((one) => one.node === node && one.saw === saw && one.where === where))
        .map(({ saw, where }) => ({
          promise: 'modes',
          what: `${node} was not seen to be ${saw} in ${where} during ${kind} of ${target}`,
          evidence: { fault, saw: during.slice(0, 10) },
        })),
    );
  });
}

const SILENT: ReadonlySet<string> = new Set(['kill', 'stop', 'pause']);

const isSilent = (node: string, { from, healed }: FaultRecord, faults: readonly FaultRecord[]): boolean =>
  faults.some(
    (other) => SILENT.has(other.kind) && other.target === node && other.from < healed && other.recovered > from,
  );

import type { FaultRecord, Life, Renewal, Sign, Stretch } from '../record.ts';

/**
 * So long ago at most a node has heard the instance that it still speaks to, and put it where all find it: it closes a socket after
 * two and a half heartbeats of silence, looks once in each, and writes every 200 ms; heartbeats are half a second here.
 */
export const HEARD_WITHIN_MS = 2200;
/** What began by then may have held up what was said a moment before. */
const BEFORE_MS = 1000;
/** What all nodes need. */
const WHOLE: ReadonlySet<string> = new Set(['postgres', 'redis']);

/**
 * An instance that is attached to a socket is never told that it was heard. That its node goes on speaking to it says so, unless
 * something was wrong with the node, or with what all nodes need: a node that stands still, or is cut off, renews nobody's lease, and
 * who is attached to it has to come back elsewhere (decisions/0018). Such signs are renewals here. This process reads late what
 * was said while it stood still.
 */
export function heardOf(life: Life, faults: readonly FaultRecord[], stalls: readonly Stretch[]): Life {
  if (life.signs === undefined) return life;
  const heard = life.signs
    .filter((sign) => !faults.some((fault) => isAbout(fault, sign)))
    .map(({ at }): Renewal => ({ sentAt: at - HEARD_WITHIN_MS - stoodStill(stalls, at), answeredAt: at }));
  // Between two sockets it was heard by nobody, and the first signs on a socket are of less than their time.
  const registered = life.renewals.map(({ answeredAt }) => answeredAt);
  const sound = heard.filter(({ sentAt, answeredAt }) => {
    const last = registered.findLast((at) => at <= answeredAt);
    return last !== undefined && last <= sentAt;
  });
  return { ...life, renewals: [...life.renewals, ...sound].toSorted((a, b) => a.answeredAt - b.answeredAt) };
}

const isAbout = ({ target, from, recovered }: FaultRecord, { at, node }: Sign): boolean =>
  (target === node || WHOLE.has(target)) && from < at + BEFORE_MS && recovered > at - HEARD_WITHIN_MS;

function stoodStill(stalls: readonly Stretch[], at: number): number {
  const late = stalls.filter(({ from, until }) => from < at && until > at - HEARD_WITHIN_MS);
  return late.reduce((sum, { from, until }) => sum + until - from, 0);
}

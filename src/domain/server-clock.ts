/** By how many milliseconds a server's clock is ahead of ours, as far as its answers say: between these two. */
export interface ClockOffset {
  readonly least: number;
  readonly most: number;
}

/** A clock that drifts is followed; one that is further off than this from one answer to the next was set. */
const STEP_MS = 1000;

/** The server read its clock between the two times, which are ours, of a clock that nobody sets. */
export const offsetSeen = (asked: number, serverClock: number, answered: number): ClockOffset => ({
  least: serverClock - answered,
  most: serverClock - asked,
});

/** The clock has drifted out of what was known, and not far: a slow answer that shows it is no reason to know less. */
function followed(known: ClockOffset, { least, most }: ClockOffset): ClockOffset {
  const width = known.most - known.least;
  return least > known.most
    ? { least, most: Math.min(most, least + width) }
    : { least: Math.max(least, most - width), most };
}

/**
 * What is known of the offset after another answer; `undefined` when one of the clocks was set, or ours stood still. A slow answer
 * says little, and takes nothing away from what is known.
 */
export function offsetAfter(known: ClockOffset, seen: ClockOffset): ClockOffset | undefined {
  const apart = Math.max(seen.least - known.most, known.least - seen.most);
  if (apart > STEP_MS) return undefined;
  if (apart > 0) return followed(known, seen);
  return { least: Math.max(known.least, seen.least), most: Math.min(known.most, seen.most) };
}

/** A length of time as requests, answers and settings write it: `250ms`, `10s`, `5m`, `24h`. */
export type Duration = string;

export const DURATION = '^[0-9]{1,12}(?:ms|s|m|h)$';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const REGEXP = /^([0-9]{1,12})(ms|s|m|h)$/;

/** Milliseconds; `undefined` when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = REGEXP.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * UNITS[unit as keyof typeof UNITS];
}

/** Milliseconds of a duration that is known to be right. */
export function milliseconds(duration: Duration): number {
  const value = parseDuration(duration);
  if (value === undefined) throw new Error(`not a duration: ${duration}`);
  return value;
}

/** The shortest writing in one unit, so that equal lengths have equal texts. */
export function formatDuration(ms: number): Duration {
  const whole = Math.round(ms);
  for (const unit of ['h', 'm', 's'] as const)
    if (whole > 0 && whole % UNITS[unit] === 0) return `${whole / UNITS[unit]}${unit}`;
  return `${whole}ms`;
}

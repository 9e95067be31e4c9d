/**
 * The order of API versions: `v1alpha1 < v1alpha2 < v1beta1 < v1 < v1.0 < v1.1 < v1.10 < v2alpha1 < v2`.
 *
 * A version is a list of numbers, compared one by one: the major number, then either a stage (alpha, beta) with its
 * number or the dotted numbers. On an equal prefix the longer one is newer, except that the stages come before the
 * release they lead to. `v1` and `v01` name different resources although their numbers are equal, so what is still
 * equal is ordered as text. What is no version at all comes before every version, as text: the order is total.
 */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const left = numbersOf(a);
  const right = numbersOf(b);
  const length = Math.max(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const difference = (left[i] ?? END) - (right[i] ?? END);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : 1;
}

/** The newest of some versions. */
export function newestOf(versions: Iterable<string>): string | undefined {
  let newest: string | undefined;
  for (const version of versions) {
    if (newest === undefined || compareVersions(version, newest) > 0) newest = version;
  }
  return newest;
}

const FORM = /^v([0-9]{1,9})(?:(alpha|beta)([0-9]{1,9})|((?:\.[0-9]{1,9}){1,7}))?$/;
const NOT_A_VERSION: readonly number[] = [-1];
/** Where a list ends it counts as this: after a stage, before any dotted number. */
const END = -0.5;
const STAGES: Readonly<Record<string, number>> = { alpha: -2, beta: -1 };

/** Versions are compared by the thousand and are few: what was parsed once is kept, up to a bound. */
const parsed = new Map<string, readonly number[]>();
const KEPT = 10_000;

function numbersOf(version: string): readonly number[] {
  let numbers = parsed.get(version);
  if (numbers === undefined) {
    if (parsed.size >= KEPT) parsed.clear();
    parsed.set(version, (numbers = parse(version)));
  }
  return numbers;
}

function parse(version: string): readonly number[] {
  const [, major, stage, stageNumber, dotted] = FORM.exec(version) ?? [];
  if (major === undefined) return NOT_A_VERSION;
  if (stage !== undefined) return [Number(major), STAGES[stage] ?? 0, Number(stageNumber)];
  if (dotted !== undefined) return [Number(major), ...dotted.slice(1).split('.').map(Number)];
  return [Number(major)];
}

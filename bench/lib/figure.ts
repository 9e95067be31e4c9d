import type { Bench } from './bench.ts';

export type Unit = 'per second' | 'ms' | 's' | 'KiB' | 'MiB' | 'ns' | '% of a core' | 'reads';

/** What a value is held against: a number of its own unit, or a multiple of the row's floor. */
export type Goal =
  | { readonly atMost: number }
  | { readonly atLeast: number }
  | { readonly atMostFloors: number }
  | { readonly atLeastFloors: number };

export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** What the machine can do without Signalbox. */
  readonly floor?: number;
  readonly floorName?: string;
  /** Absent where the row is a floor alone, or only floors are measured. */
  readonly value?: number;
  readonly goal?: Goal;
  /** What others were measured at, on another machine. */
  readonly reference?: string;
}

export interface Outcome {
  readonly rows: readonly Row[];
  /** One sentence each, for the results. */
  readonly notes: readonly string[];
}

export interface Figure {
  readonly name: string;
  readonly title: string;
  measure(bench: Bench): Promise<Outcome>;
}

export type Verdict =
  | { readonly met: true; readonly bound: number }
  /** `by`: the share of the bound that is missing or too much. */
  | { readonly met: false; readonly bound: number; readonly by: number };

/** `undefined` without a goal or a value. */
export function judge({ goal, floor, value }: Row): Verdict | undefined {
  if (goal === undefined || value === undefined) return undefined;
  const most = 'atMost' in goal ? goal.atMost : 'atMostFloors' in goal ? goal.atMostFloors * (floor ?? NaN) : undefined;
  if (most !== undefined) {
    return value <= most ? { met: true, bound: most } : { met: false, bound: most, by: value / most - 1 };
  }
  const least = 'atLeast' in goal ? goal.atLeast : 'atLeastFloors' in goal ? goal.atLeastFloors * (floor ?? NaN) : NaN;
  return value >= least ? { met: true, bound: least } : { met: false, bound: least, by: 1 - value / least };
}

import type { AbsenceOptions } from './absence.ts';
import type { CacheFigures, MemberFigures, MemberSpec } from './figures.ts';

/** What all living members said at one moment. */
export interface Look {
  readonly when: string;
  readonly at: number;
  readonly members: readonly {
    readonly port: number;
    readonly spec: MemberSpec;
    readonly figures: MemberFigures;
  }[];
}

/** What the server has of a selection, and what its caches have. */
export interface ServerView {
  readonly topic: string;
  readonly epoch: string;
  readonly revision: number;
  readonly digest: string;
  readonly caches: readonly (CacheFigures & { readonly port: number })[];
}

/** One change of an instance since Signalbox went away. */
export interface Told {
  readonly op: string;
  readonly port: number | undefined;
  readonly passing: boolean | undefined;
}

/** What a run has seen. Times are milliseconds since 1970. */
export interface Record {
  readonly options: Pick<AbsenceOptions, 'signal' | 'awayMs'>;
  readonly times: {
    readonly awayAt: number;
    readonly killedAt: number;
    readonly returnAt: number;
    readonly readyAt: number;
    readonly deadGoneAt: number;
    readonly lateAt: number;
    readonly equalAt: number;
  };
  readonly ports: { readonly dead: number; readonly late: number; readonly stock: readonly number[] };
  readonly members: { readonly first: readonly number[]; readonly fromCopy: number; readonly bounded: number };
  readonly startedAt: { readonly fromCopy: number };
  readonly maxAge: number;
  readonly before: Look;
  readonly after: Look;
  readonly looks: readonly Look[];
  readonly views: readonly ServerView[];
  readonly told: readonly Told[];
}

import type { FailedCall, Row } from './figures.ts';
import type { ActionKind, Sort } from './plan.ts';

/** What the demo tells; with `--json`, one in each line. Times are milliseconds, `atMs` since the load began. */
export type DemoEvent =
  | {
      readonly type: 'start';
      readonly url: string;
      readonly again: string;
      readonly pid: number;
      readonly directory: string;
    }
  | { readonly type: 'process'; readonly name: string; readonly pid: number }
  | { readonly type: 'note'; readonly text: string }
  | Sample
  | ActionReport
  | Summary;

export interface Sample {
  readonly type: 'sample';
  readonly atMs: number;
  readonly rows: readonly Row[];
  readonly signalbox: 'up' | 'away';
  /** What is being done. */
  readonly now: string;
}

export interface ActionReport {
  readonly type: 'action';
  readonly atMs: number;
  readonly action: ActionKind;
  readonly target: string;
  readonly sort: Sort;
  /** Calls of all services that failed, from its beginning until the next action. */
  readonly failed: number;
  /** From the first to the last of them. */
  readonly windowMs?: number;
  /** From the action to the last of them. */
  readonly recoveredMs?: number;
  /** Of a kill: within which it had to be told, and after which it was. */
  readonly boundMs?: number;
  readonly toldMs?: number;
  /** Of a restart of Signalbox: instances that it gave up although they ran. */
  readonly lost?: number;
  /** Some of them. */
  readonly failures: readonly FailedCall[];
}

export interface Summary {
  readonly type: 'summary';
  readonly seconds: number;
  readonly rows: readonly Row[];
  readonly actions: Readonly<
    Record<Sort, { readonly done: number; readonly failed: number; readonly longestWindowMs: number }>
  >;
  /** Calls that failed while nothing was done. */
  readonly elsewhere: number;
  readonly ok: boolean;
}

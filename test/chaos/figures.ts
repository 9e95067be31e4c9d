import type { Select } from '../../src/protocol/frames.ts';
import type { BalanceName } from '../../src/sdk/discovery/options.ts';

/** What one process of the chaos run is: a service, a caller, or both. */
export interface MemberSpec {
  readonly url: string;
  /** The service that it is an instance of; without one it only calls. */
  readonly service?: string;
  /** The service that it calls. */
  readonly calls: string;
  readonly balance?: BalanceName;
  /** Milliseconds between its calls. Each is made whether or not the one before is answered. */
  readonly everyMs: number;
  /** Where it keeps its copies. */
  readonly directory: string;
  /** Of its lease, such as `10s`. */
  readonly ttl: string;
  /** Milliseconds, as `connect` takes it. */
  readonly maxAge?: number;
  /** It starts although Signalbox is away. */
  readonly startsAlone?: boolean;
}

export interface Failure {
  /** Milliseconds since 1970: the processes have no other clock in common. */
  readonly at: number;
  readonly method: string;
  readonly code: string;
  readonly message: string;
}

/** One subscription of a member. */
export interface CacheFigures {
  readonly select: Select;
  readonly state: string;
  readonly epoch: string;
  readonly revision: number;
  readonly digest: string;
}

/** What a member says of itself. Counts are since it was last asked, failures since it began. */
export interface MemberFigures {
  readonly phase: string;
  /** Of its own registration. */
  readonly state: string;
  readonly generation: number | undefined;
  readonly answered: number;
  readonly failures: readonly Failure[];
  readonly slowestMs: number;
  /** Milliseconds since 1970. */
  readonly firstAnswerAt: number | undefined;
  /** By port: how many calls it has answered. */
  readonly by: Readonly<Record<string, number>>;
  /** Ports of instances that were left out by this caller, since it began. */
  readonly ejected: readonly number[];
  /** By port: how often no connection could be made, since it began. */
  readonly unreachable: Readonly<Record<string, number>>;
  readonly callee: { readonly state: string; readonly age: number; readonly ports: readonly number[] };
  readonly caches: readonly CacheFigures[];
  readonly mismatches: number;
  readonly resets: number;
}

/** What a member says to the run. */
export type Said = { readonly up: number } | { readonly figures: MemberFigures } | { readonly error: string };

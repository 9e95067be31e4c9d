/**
 * What a run leaves for the validators: plain data. All times are `performance.now()` of the harness, which nobody skews.
 */
import type { Mode } from '../../src/cluster/conditions.ts';
import type { AnyItem } from '../../src/domain/item.ts';

/** A promise that was not kept, and what shows it. */
export interface Violation {
  readonly promise: string;
  readonly what: string;
  readonly evidence: unknown;
}

/** Something that happened at one moment of which only this is known. */
export interface Between {
  readonly after: number;
  readonly before: number;
}

/** One write and what became of it. */
export interface Write {
  readonly node: string;
  /** The resource, and the text in it that no other write has. */
  readonly name: string;
  readonly mark: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** `refused`: it was answered that nothing was done. `unknown`: no answer, or one that says that nobody knows. */
  readonly outcome: 'acknowledged' | 'refused' | 'unknown';
  /** Of an acknowledged one. */
  readonly revision?: number;
}

/** What the log says of an instance at one revision, and when that was committed. */
export interface InstanceEvent extends Between {
  readonly name: string;
  readonly revision: number;
  readonly op: 'put' | 'delete';
  readonly status?: string;
  readonly passing?: boolean;
  readonly group: string;
  /** By Signalbox itself, and not by whoever called. */
  readonly isOwn: boolean;
}

export interface Renewal {
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** A node said something on the socket that an instance is attached to, which the instance answers with a pong. */
export interface Sign {
  readonly at: number;
  readonly node: string;
}

/** A stretch of time in which something was gone: from the last moment at which it surely was there. */
export interface Stretch {
  readonly from: number;
  readonly until: number;
}

/** The eviction guard held a group, as an advisory in the log said (INS4). */
export interface Hold extends Stretch {
  readonly group: string;
}

/** It was checked. `by`: by which node, as those of the harness say themselves. */
export interface Asking {
  readonly at: number;
  readonly by: string | undefined;
}

/** One instance as it was in truth, whatever Signalbox believed. */
export interface Life {
  readonly name: string;
  readonly group: string;
  readonly check: 'ttl' | 'http';
  /** Of a lease; of another check, its interval. */
  readonly everyMs: number;
  /** As published. */
  readonly boundMs: number;
  /** Acknowledged ones only; a registration is one. */
  readonly renewals: Renewal[];
  /** Dead: nothing renews or answers. `until` is Infinity for those that stay dead. */
  readonly deaths: Death[];
  /** Asked to be removed, each from the moment it was asked. */
  readonly leavings: number[];
  /** Of those that are checked. */
  readonly asked?: readonly Asking[];
  /** Of those that are attached to a socket. */
  readonly signs?: Sign[];
}

/** Where a node says how it is: `GET /v1/nodes`, `/readyz` and `/metrics`. */
export const PLACES = ['nodes', 'readyz', 'metrics'] as const;

/** How a node says that it is degraded or, in the first place, that another one does not hear it. */
export interface Sighting {
  readonly at: number;
  readonly node: string;
  readonly saw: Mode | 'lost';
  readonly where: (typeof PLACES)[number];
}

/** `isLoose`: a renewal to which no answer came may still have been on its way. */
export interface Death extends Stretch {
  readonly isLoose: boolean;
}

/** A watcher was told that an instance is not to be called any more. */
export interface Told {
  readonly name: string;
  readonly revision: number;
  readonly at: number;
  readonly watcher: string;
  readonly node: string;
  /** Since when it had been watching there without interruption. */
  readonly since: number;
}

/** A fault, from when it began to when all was well again. */
export interface FaultRecord {
  readonly kind: string;
  /** A node's name, `postgres` or `redis`. */
  readonly target: string;
  readonly from: number;
  /** When it was taken away. */
  readonly healed: number;
  /** When writes worked everywhere and every subscriber stood at the head. */
  readonly recovered: number;
}

/** What was away, as far as detection and leases go. */
export interface Absence extends Stretch {
  readonly why: string;
  /** Checks went on. */
  readonly ofLeasesOnly?: boolean;
  /** No process was left, or none that none of the faults was about. */
  readonly isOfAllNodes?: boolean;
}

/** An instance that is out of service: critical, or gone. */
export const isOut = ({ op, passing }: Pick<InstanceEvent, 'op' | 'passing'>): boolean =>
  op === 'delete' || passing === false;

/** Signalbox gave it up: it says that it is critical, or has removed it. */
export const isGivenUp = ({ op, status, isOwn }: InstanceEvent): boolean =>
  isOwn && (op === 'delete' || status === 'critical');

export const groupOf = (item: AnyItem): string => {
  const { service, region } = item.value as { service?: string; region?: string };
  return `${service}/${region ?? '-'}`;
};

import type { ServerOptions } from 'node:https';
import type { FastifyPluginCallback } from 'fastify';
import type { Logger } from 'pino';
import type { Registry as MetricsRegistry } from 'prom-client';
import type { ClusterStatus } from '../cluster/status.ts';
import type { Config } from '../config.ts';
import type { AuditTrail } from '../domain/audit.ts';
import type { Command, Decision } from '../domain/command.ts';
import type { Entry } from '../domain/item.ts';
import type { Head, Position, ResetReason } from '../domain/position.ts';
import type { View } from '../domain/view.ts';
import type { Access } from './identify.ts';
import type { Monitoring } from '../health/monitoring.ts';
import type { PollHub } from './long-poll.ts';
import type { Limits } from './rate-limiting.ts';
import type { InstanceDesk } from '../registry/instances.ts';

/** The registry's answer; `revision` is the head after the command, or for a dry run what it would be. */
export type Result =
  (Extract<Decision, { ok: true }> & { readonly revision: number }) | Extract<Decision, { ok: false }>;

export interface EdgeState {
  /** Nothing is answered from the view before it is loaded (PUSH7). */
  readonly ready: boolean;
  readonly head: Head;
  readonly view: View;
  /** Resolves true once the view has reached the revision, false when it has not within the time. */
  waitFor(revision: number, timeoutMs: number): Promise<boolean>;
}

export interface EdgeLog {
  /** What follows a position: at least one entry if there is one, then as many as the limit allows. */
  read(
    from: Position,
    limit: { readonly entries: number; readonly bytes: number },
  ): Promise<
    | { readonly kind: 'changes'; readonly entries: readonly Entry[] }
    | { readonly kind: 'startOver'; readonly reason: ResetReason }
  >;
}

/** What the HTTP edge needs of the rest. */
export interface EdgeDeps {
  readonly config: Pick<Config, 'bodyMaxBytes' | 'applyMaxBytes' | 'requestTimeout' | 'readWaitMax'>;
  readonly access: Access;
  /** With it, HTTPS is spoken and nothing else. */
  readonly tls?: ServerOptions;
  /** How much one caller may ask; without it, anything. */
  readonly limits?: Limits;
  /** Rejects with `RegistryUnavailable`. */
  readonly registry: { execute(command: Command, options?: { readonly dryRun?: boolean }): Promise<Result> };
  readonly state: EdgeState;
  readonly log: EdgeLog;
  /** Where a poll waits; without it, none does. */
  readonly feed?: PollHub;
  readonly instances: Pick<InstanceDesk, 'register' | 'deregister' | 'override'>;
  readonly monitoring: Monitoring;
  readonly cluster: ClusterStatus;
  /** Hears of what is refused (SEC5). */
  readonly audit?: AuditTrail;
  readonly logger: Logger;
  /** Where the edge adds its metrics, and what `/metrics` answers. */
  readonly metrics: MetricsRegistry;
  /** Milliseconds since 1970: the time of a command. */
  readonly clock: () => number;
  /** Of Signalbox, for the documentation. */
  readonly version: string;
  /** Traces requests, and sets `trace` of those that are sampled. */
  readonly requestTraces?: FastifyPluginCallback;
  /** Routes of other rooms, such as the watch feed. */
  readonly plugins?: readonly FastifyPluginCallback[];
}

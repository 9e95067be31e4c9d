import type { InfoOptions } from './admin/server-info.ts';
import type { GuardOptions } from './guard.ts';
import type { ReadinessOptions } from './health/readiness.ts';
import type { LevelledLog } from './log.ts';
import type { Loggers } from './logging/loggers.ts';

/** What the endpoints of a service need to know; the same for Fastify, Express and `node:http`. */
export interface KitOptions {
  /** The id of the service, such as `orders.example.com`. */
  readonly serviceId: string;
  /** The short id of its API in the catalog, for the scopes `{apiId}.admin` and `{apiId}/admin`. Default: none. */
  readonly apiId?: string;
  /** The version of its API, as server info has it; the Fastify plugin also registers it. Default: that of its package, and none is registered. */
  readonly version?: string;
  /** The environment, such as `prod`, as server info has it; the Fastify plugin also registers it. Default: none. */
  readonly environment?: string;
  /** Who is let in to `/adm`. Default: nobody. */
  readonly guard?: GuardOptions;
  /** Loggers by name, whose levels can be changed. Default: made of the service's own logger. */
  readonly loggers?: Loggers;
  /** When it can serve calls. Default: always, until it leaves. */
  readonly readiness?: ReadinessOptions;
  /** false: there is no `/adm/server/info`. Default: as `InfoOptions` say. */
  readonly info?: InfoOptions | false;
  /**
   * Whether assaults can be turned on. Default: `SIGNALBOX_CHAOS` (`on` or `off`); without that, unless `NODE_ENV` is `production`.
   * What says no outweighs what says yes. They are all off until somebody turns one on.
   */
  readonly chaos?: boolean;
  /** The bytes that the memory assault's fractions are of, where that is less than the process may use. Default: Infinity. */
  readonly chaosMemoryBytes?: number;
  /** Whether there is `/adm/shutdown`. Default: false. */
  readonly shutdown?: boolean;
}

/** What a framework brings along. */
export interface KitDeps {
  /** The service's own: a pino logger fits, and so does Fastify's. Its level is that of `ROOT` in `/adm/logger`. */
  readonly log: LevelledLog;
  /** As server info has it, such as `fastify 5.12.8`. */
  readonly framework: string;
  /** What `/adm/shutdown` does. */
  readonly close: () => void;
  /** Names of plugins, as server info has them. Default: none. */
  readonly plugins?: () => readonly string[];
}

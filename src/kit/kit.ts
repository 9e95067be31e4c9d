import { totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import { Admin } from './admin/admin.ts';
import { listAssaults, setAssault } from './admin/chaosmonkey.ts';
import { healthOf, liveness, readiness } from './admin/health.ts';
import { getLogger, listLoggers, setLoggers } from './admin/logger.ts';
import type { AdminRoute } from './admin/routes.ts';
import { serverInfo } from './admin/server-info.ts';
import { shutdown } from './admin/shutdown.ts';
import { Ballast } from './chaos/ballast.ts';
import { Chaos } from './chaos/chaos.ts';
import { whyNoChaos } from './chaos/permission.ts';
import { createGuard } from './guard.ts';
import { Readiness } from './health/readiness.ts';
import { readModules } from './info/modules.ts';
import type { LevelledLog } from './log.ts';
import { Loggers } from './logging/loggers.ts';
import type { KitDeps, KitOptions } from './options.ts';
import { REAL_TIMERS } from './timers.ts';

/** All that a service has of the kit, whatever framework it is mounted with. */
export interface Kit {
  /** Answers requests to the endpoints. */
  readonly admin: Admin;
  /** Loggers by name, whose levels `/adm/logger` changes. */
  readonly loggers: Loggers;
  /** What `/health/readiness` answers; `readiness.close()` says that the service is leaving. */
  readonly readiness: Readiness;
  /** Which assaults are on. */
  readonly chaos: Chaos;
  /** What has to be said at the start; undefined where there is nothing. */
  readonly warning: string | undefined;
  /** Stops what it has under way: levels come back, assaults end. */
  close(): void;
}

/**
 * The endpoints of a service; `nodeHandler` mounts them, and `Membership` registers it. `close` it at the end.
 * @throws Error where the options make no sense; the message names the option.
 */
export function createKit(options: KitOptions, deps: KitDeps): Kit {
  if (options.serviceId === '') throw new Error('serviceId: name the service');
  if (options.apiId === '') throw new Error('apiId: leave it out, or name the API');
  const env = process.env;
  const log = withOwnLevel(deps.log);
  const loggers = options.loggers ?? new Loggers(deps.log);
  const ready = new Readiness(options.readiness ?? {}, { now: () => performance.now(), log });
  const ballast = new Ballast({
    timers: REAL_TIMERS,
    limitBytes: () =>
      Math.min(options.chaosMemoryBytes ?? Infinity, totalmem(), process.constrainedMemory() || Infinity),
    usedBytes: () => process.memoryUsage.rss(),
    log,
  });
  const chaos = new Chaos(whyNoChaos(options.chaos, env), {
    timers: REAL_TIMERS,
    random: Math.random,
    log,
    ballast,
    kill: () => endNow(deps.log),
  });
  const guard = createGuard(options.guard, options);
  const routes = [
    ...healthRoutes(options.serviceId, ready),
    ...infoRoutes(options, deps, env),
    ...loggerRoutes(loggers),
    ...chaosRoutes(chaos),
    ...shutdownRoutes(options, deps.close),
  ];
  return {
    admin: new Admin({ routes, guard, log }),
    loggers,
    readiness: ready,
    chaos,
    warning: guard.warning,
    close() {
      loggers.close();
      chaos.close();
    },
  };
}

/** The audit is written whatever level an administrator sets for the service's own log, unless it was silent from the start. */
function withOwnLevel(log: LevelledLog): LevelledLog {
  if (log.level === 'silent') return log;
  const own = log.child({ kit: 'signalbox' });
  // Set once more: a child that is made with the level of its parent goes on following it.
  own.level = 'info';
  return own;
}

const healthRoutes = (serviceId: string, ready: Readiness): AdminRoute[] => [
  { method: 'GET', pattern: '/health/liveness', open: true, handle: liveness },
  { method: 'GET', pattern: '/health/readiness', open: true, handle: readiness(ready) },
  { method: 'GET', pattern: '/health/:serviceId', open: true, handle: healthOf(serviceId, ready) },
  { method: 'GET', pattern: '/adm/health/:serviceId', handle: healthOf(serviceId, ready) },
];

function infoRoutes({ info, ...options }: KitOptions, deps: KitDeps, env: typeof process.env): AdminRoute[] {
  if (info === false) return [];
  const { serviceId, apiId, environment, guard, chaos, shutdown: canShutDown } = options;
  const handle = serverInfo({
    options: info ?? {},
    modules: readModules(info?.directory ?? process.argv[1] ?? process.cwd()),
    apiVersion: options.version,
    framework: deps.framework,
    plugins: deps.plugins ?? (() => []),
    own: { serviceId, apiId, environment, guard, chaos, shutdown: canShutDown === true },
    env,
  });
  return [{ method: 'GET', pattern: '/adm/server/info', handle }];
}

const loggerRoutes = (loggers: Loggers): AdminRoute[] => [
  { method: 'GET', pattern: '/adm/logger', handle: listLoggers(loggers) },
  { method: 'POST', pattern: '/adm/logger', handle: setLoggers(loggers) },
  { method: 'GET', pattern: '/adm/logger/:name', handle: getLogger(loggers) },
];

const chaosRoutes = (chaos: Chaos): AdminRoute[] => [
  { method: 'GET', pattern: '/adm/chaosmonkey', handle: listAssaults(chaos) },
  { method: 'POST', pattern: '/adm/chaosmonkey/:assault', handle: setAssault(chaos) },
];

function shutdownRoutes(options: KitOptions, close: () => void): AdminRoute[] {
  if (options.shutdown !== true) return [];
  const tag = options.environment ?? '';
  const handle = shutdown({ serviceId: options.serviceId, tag, wall: REAL_TIMERS.wall, close });
  return [
    { method: 'DELETE', pattern: '/adm/shutdown', handle },
    { method: 'POST', pattern: '/adm/shutdown', handle },
  ];
}

/** The last lines of the log may take so long; then the process ends without them. */
const FLUSH_MS = 500;

/** As a crash: nothing is deregistered, nothing drained. */
function endNow(log: LevelledLog): void {
  setTimeout(exit, FLUSH_MS);
  if (log.flush === undefined) exit();
  else log.flush(exit);
}

const exit = (): void => process.exit(1);

import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Logger } from 'pino';
import { composeAccess } from './access.ts';
import { AuditWriter } from './audit/writer.ts';
import { permitOf } from './auth/authorize.ts';
import { sightOf } from './auth/sight.ts';
import { RegistrationTokens } from './auth/registration-tokens.ts';
import type { Server as HttpsServer } from 'node:https';
import { Certificates } from './auth/certificates.ts';
import { RateLimits } from './auth/rate-limits.ts';
import { banner, originOf } from './banner.ts';
import { InProcessNetwork } from './bus/in-process.ts';
import { openRedisBus } from './bus/redis.ts';
import type { Bus } from './bus/port.ts';
import { loadConfig, type Config } from './config.ts';
import { buildApp } from './edge/app.ts';
import { apiDocumentRoutes } from './edge/http/api-document-routes.ts';
import { registrationTokenRoutes } from './edge/http/registration-tokens.ts';
import { auditRoute } from './edge/http/audit.ts';
import { subscribersRoute } from './edge/http/subscribers.ts';
import { frameGateOf } from './edge/rate-limiting.ts';
import { TlsFiles } from './edge/tls.ts';
import { registrarOf } from './edge/ws/registrar.ts';
import { watchRoute } from './edge/ws/watch.ts';
import { every } from './every.ts';
import { Hub } from './feed/hub.ts';
import { HEARTBEAT_SLICES } from './feed/roster.ts';
import { Tail } from './feed/tail.ts';
import { createEgress } from './health/egress.ts';
import { createProber } from './health/prober.ts';
import type { Leases } from './leases/port.ts';
import { openRedisLeases } from './leases/redis.ts';
import { LagMeter } from './lag-meter.ts';
import { projectLimitsOf, rateLimitsOf } from './limits.ts';
import { createLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { reportCommitFailures, reportOutages } from './outages.ts';
import {
  validateInstanceOverride,
  validateRegionOverride,
  validateRegistration,
  validateResource,
} from './protocol/validate.ts';
import { CommitLoop } from './registry/commit-loop.ts';
import { DocumentDesk } from './registry/documents.ts';
import { InstanceDesk } from './registry/instances.ts';
import { TokenDesk } from './registry/registration-tokens.ts';
import { Registry } from './registry/registry.ts';
import { trimHistory } from './registry/trim-history.ts';
import { composeSharing } from './sharing.ts';
import { gracefulClose, shutDown } from './shutdown.ts';
import { openEmbedded } from './store/embedded/embedded.ts';
import { StoreUnavailable, type Store } from './store/port.ts';
import { openPostgres } from './store/postgres.ts';
import { openTracing } from './tracing/open.ts';
import { rooted } from './tracing/rooted.ts';

const WARM_UP = { entries: 2000, bytes: 16 * 1024 * 1024 };
const TRIM_PAUSE_MS = 60_000;
const TIDY_PAUSE_MS = 3_600_000;
const AUDIT_PAUSE_MS = 250;
/** Of refusals that are alike, the first few of a minute are written, and the number of the rest. */
const AUDIT_LIMITS = { perWindow: 10, windowMs: 60_000, maxSorts: 500, maxWaiting: 10_000 };
/** How often the event loop is asked how late it is. */
const LAG_PERIOD_MS = 50;
/** How often the files of TLS are read, to see whether they have changed. */
const TLS_RELOAD_MS = 2000;
const now = (): number => performance.now();

/** Starts a node and resolves once it serves. Settings come from the environment (docs/settings.md). */
export async function main(): Promise<void> {
  const loaded = loadConfig(process.env, { isTTY: process.stdout.isTTY });
  if (!loaded.ok) {
    for (const error of loaded.errors) process.stderr.write(`${error}\n`);
    process.exitCode = 2;
    return;
  }
  const { config } = loaded;
  const { log, written } = createLog(config);
  for (const warning of loaded.warnings) log.warn(warning);
  try {
    await start(config, log, written);
  } catch (error) {
    const remedy = remedyFor(error, config);
    const message = `Signalbox could not start: ${remedy ?? (error instanceof Error ? error.message : String(error))}`;
    if (remedy === undefined) log.fatal({ err: error }, message);
    else log.fatal(message);
    process.stderr.write(`${message}\n`);
    process.exit(1);
  }
}

/** What is wrong and what a person can do about it, where that is known: such an error needs no stack. */
function remedyFor(error: unknown, { host, port, databaseUrl }: Config): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === 'DirectoryInUse') return error.message;
  if (error instanceof StoreUnavailable && databaseUrl !== undefined) {
    return `${error.message}. Is the server there that DATABASE_URL names?`;
  }
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'listen') return undefined;
  if (code === 'EADDRINUSE') return `another program listens on ${host}:${port}. Stop it, or set another PORT.`;
  return `${error.message}. Set another PORT, or another HOST.`;
}

async function start(config: Config, log: Logger, written: () => Promise<void>): Promise<void> {
  const startedAt = now();
  const version = packageVersion();
  const metrics = createMetrics();

  const store = await openStore(config, log, (error) => {
    log.fatal({ err: error }, 'the embedded database has failed; this process ends and can be started again');
    process.exit(70);
  });
  if (config.newEpoch) {
    const { epoch } = await store.newEpoch();
    log.warn({ epoch }, 'NEW_EPOCH is set: a new history begins with this start, and every client starts over');
  }
  const tracing = await openTracing(config, version, log);
  const bus = openBus(config, log);
  const tail = new Tail(store);
  const lag = new LagMeter(LAG_PERIOD_MS);
  const settings = rateLimitsOf(config);
  const limits = settings && new RateLimits({ settings, now, lag: () => lag.lag, refused: metrics.turnedAway });
  const hub = new Hub({
    tail,
    store,
    limits: {
      maxQueuedBytes: config.watchMaxQueuedBytes,
      maxSubscriptions: config.watchMaxSubscriptions,
      maxSockets: config.watchMaxSockets,
      heartbeatMs: config.watchHeartbeat,
      stallTimeoutMs: config.watchStallTimeout,
      ringBytes: config.historyMemoryBytes,
      ...(config.projectMaxSubscriptions !== 'off' && { maxProjectSubscriptions: config.projectMaxSubscriptions }),
    },
    ...(limits !== undefined && { gate: frameGateOf(limits) }),
    metrics: metrics.hub,
    log,
    now,
    clock: Date.now,
    random: Math.random,
    ...(tracing !== undefined && { traces: tracing.deliveries }),
  });
  let stopping = false;
  const loop = new CommitLoop({
    store,
    ledger: tail,
    bus,
    validate: validateResource,
    limits: { maxPending: config.writeMaxPending, timeoutMs: config.writeTimeout },
    metrics: metrics.commit,
    outages: reportCommitFailures(() => stopping, log, metrics.commitFailures),
    now,
    ...(tracing !== undefined && { traces: tracing.commits }),
  });
  const registry = new Registry(loop, {
    ledger: tail,
    validate: validateResource,
    permitOf,
    sightOf,
    limits: projectLimitsOf(config),
  });

  const egress = createEgress({
    // Development mode is on loopback, and so are the instances. Elsewhere it is where others' secrets are.
    allowLoopback: config.oidcIssuers === undefined,
    deny: config.egressDeny ?? [],
    ...(config.egressAllow !== undefined && { allow: config.egressAllow }),
  });
  const prober = createProber({ egress, now });
  const leases = openLeases(config, store);
  const sharing = composeSharing({
    config,
    me: { id: randomUUID(), name: config.nodeName ?? hostname(), version },
    store,
    tail,
    hub,
    bus,
    leases,
    registry: tracing === undefined ? registry : rooted(tracing.roots, 'health decision', registry),
    prober,
    warmUp: WARM_UP,
    metrics,
    log,
    now,
  });
  const { cluster, monitor, monitoring } = sharing;
  const instances = new InstanceDesk({
    registry,
    leases: monitoring,
    takeoverMs: sharing.takeoverMs,
    validate: {
      registration: validateRegistration,
      instanceOverride: validateInstanceOverride,
      regionOverride: validateRegionOverride,
    },
    deniedAddress: (address) => (isIP(address) === 0 ? undefined : egress.check(address)),
    mustBeInCatalog: config.registration === 'catalog',
    clock: Date.now,
  });
  metrics.watch({ tail, hub, loop, monitor, cluster });

  const audit = new AuditWriter({
    store,
    limits: AUDIT_LIMITS,
    metrics: metrics.audit,
    log,
    now,
    clock: Date.now,
  });
  const people = composeAccess({ config, rows: store.sessions, state: tail, log, audit });
  const registrationTokens = new RegistrationTokens({
    find: (ids) => store.registrationTokens.find(ids),
    clock: Date.now,
    now,
  });
  const tokenDesk = new TokenDesk({
    store: store.registrationTokens,
    onRevoked: (id) => registrationTokens.revoked(id),
    random: (bytes) => randomBytes(bytes).toString('hex'),
    clock: Date.now,
  });
  const documents = new DocumentDesk({ store: store.documents, registry });
  const certificates = config.tlsClientCa === undefined ? undefined : new Certificates(Date.now);
  const tls = await openTls(config, log, certificates);
  const app = await buildApp({
    config,
    access: {
      ...people.access,
      registrationTokens,
      ...(certificates !== undefined && { certificates }),
    },
    ...(tls !== undefined && { tls: tls.options }),
    ...(limits !== undefined && { limits }),
    registry,
    state: tail,
    log: hub.history,
    instances,
    monitoring,
    cluster: cluster.status,
    feed: hub,
    audit,
    logger: log,
    metrics: metrics.registry,
    clock: Date.now,
    version,
    ...(tracing !== undefined && { requestTraces: tracing.requests }),
    plugins: [
      watchRoute({
        hub,
        registrar: registrarOf({
          instances,
          monitoring,
          state: tail,
          audit,
          log,
          ...(tracing !== undefined && { roots: tracing.roots }),
        }),
        log,
        maxFrameBytes: config.watchMaxFrameBytes,
      }),
      subscribersRoute(hub),
      apiDocumentRoutes({ desk: documents, state: tail, clock: Date.now }),
      registrationTokenRoutes({
        desk: tokenDesk,
        state: tail,
        maxLifeMs: config.registrationTokenMaxAge,
        clock: Date.now,
        audit,
      }),
      auditRoute({ store, state: tail, clock: Date.now }),
      ...people.plugins,
    ],
  });
  const finish = gracefulClose(app.server);
  await app.listen({ host: config.host, port: config.port, backlog: config.listenBacklog });
  await people.listening(originOf(app.server.address() as AddressInfo, tls !== undefined));
  // It answers from here on, and says that it is not ready until the view is loaded (PUSH7).
  await tail.open(async () => {
    await hub.start(WARM_UP);
    sharing.digest?.begin();
    if (sharing.digest !== undefined) tail.listen(sharing.digest);
    if (tracing !== undefined) tail.listen(tracing.deliveries);
    tail.listen(hub);
    tail.listen({
      onAdvance: () => undefined,
      onReload: (reason) => log.warn({ reason }, 'the view was loaded anew, and watchers start over'),
    });
    // After the feed: what it decides is news of its own.
    tail.listen(monitor);
    monitor.start();
    // Who is ready knows who shares the work, and with it whether anybody looks at a renewal.
    await cluster.beat().catch(() => undefined);
  });
  const away = reportOutages(() => stopping, log, metrics.storeErrors, monitor, cluster.conditions);
  if (tracing !== undefined) bus.subscribe(tracing.deliveries);
  tail.follow(bus, away.failed, metrics.news);
  const failed = (error: unknown): void => log.error({ err: error }, 'a background job failed; it will run again');
  // That it cannot be tidied up now does not say that the database is away.
  const untidy = (error: unknown): void => {
    if (!stopping)
      log.warn({ err: error }, 'what is old could not be removed from the database; it will be tried again');
  };
  const trim = (): Promise<void> =>
    trimHistory({ store, maxAgeMs: config.historyMaxAge, maxBytes: config.historyMaxBytes }).then(
      (head) => tail.trimmed(head),
      untidy,
    );
  const tidyTokens = (): Promise<void> => tokenDesk.tidy().catch(untidy);
  const tidyDocuments = (): Promise<void> => documents.tidy().catch(untidy);
  const trimAudit = (): Promise<void> =>
    store.trimAudit(Date.now() - config.auditRetention).then(() => undefined, untidy);
  // At once too: a node that is restarted often would otherwise never come to it.
  void trim().then(trimAudit).then(tidyDocuments).catch(failed);
  void tidyTokens().catch(failed);
  const jobs = [
    ...people.jobs.map(({ pauseMs, run }) => every(pauseMs, run, failed)),
    ...(tls === undefined ? [] : [every(TLS_RELOAD_MS, () => tls.reload(app.server as HttpsServer), failed)]),
    ...(limits === undefined ? [] : [every(LAG_PERIOD_MS, () => lag.tick(now()), failed)]),
    every(config.tailInterval, () => tail.catchUp().then(away.worked, away.failed), failed),
    every(TRIM_PAUSE_MS, () => trim().then(trimAudit).then(tidyDocuments), failed),
    every(AUDIT_PAUSE_MS, () => audit.flush(), failed),
    every(TIDY_PAUSE_MS, tidyTokens, failed),
    every(config.watchHeartbeat / HEARTBEAT_SLICES, () => hub.heartbeat(), failed),
    ...sharing.jobs.map(({ pauseMs, run }) => every(pauseMs, run, failed)),
  ];

  banner(config, app.server.address() as AddressInfo, log, {
    version,
    ms: Math.round(now() - startedAt),
    resources: tail.view.size,
    hints: people.hints(),
  });

  const stop = (reason: string, code: number): void => {
    if (stopping) return;
    stopping = true;
    log.info(`shutting down: ${reason}`);
    const phases = [
      { name: 'the other nodes take over the checks', run: () => sharing.drain() },
      { name: 'load balancers notice', run: () => sleep(config.drainDelay) },
      { name: 'watchers are told to move', run: () => hub.drain(config.drainSpread) },
      {
        name: 'no new connections, requests under way are answered',
        // Half of the time is for the phases that follow.
        run: () => finish(() => app.close(), config.shutdownTimeout / 2),
      },
      { name: 'writes that wait are committed', run: () => loop.close() },
      { name: 'background jobs stop', run: () => Promise.all(jobs.map((job) => job.stop())).then(() => undefined) },
      { name: 'the audit is written', run: () => audit.close() },
      { name: 'the other nodes forget this one', run: () => sharing.leave() },
      {
        name: 'Redis and the database are closed',
        run: async () => {
          await Promise.all([bus.close(), leases?.close()]);
          await store.close();
        },
      },
      ...(tracing === undefined ? [] : [{ name: 'traces are sent', run: () => tracing.close() }]),
    ];
    void shutDown(phases, config.drainDelay + config.drainSpread + config.shutdownTimeout, log).then(async (clean) => {
      await written();
      process.exit(clean ? code : 1);
    });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(`received ${signal}`, 0));
}

function openStore(config: Config, log: Logger, onFatal: (error: Error) => void): Promise<Store> {
  const storeLog = { info: (m: string) => log.info(m), warn: (m: string) => log.warn(m) };
  if (config.databaseUrl === undefined) return openEmbedded({ dir: config.dataDir, log: storeLog, onFatal });
  return openPostgres({ url: config.databaseUrl, log: storeLog });
}

async function openTls(config: Config, log: Logger, clients: Certificates | undefined): Promise<TlsFiles | undefined> {
  const { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa } = config;
  if (cert === undefined || key === undefined) return undefined;
  const paths = { cert, key, ...(clientCa !== undefined && { clientCa }) };
  return TlsFiles.open(paths, { log, onClientCa: () => clients?.replaced() });
}

function openBus({ redisUrl: url, redisPrefix: prefix }: Config, log: Logger): Bus {
  return url === undefined ? new InProcessNetwork().join() : openRedisBus({ url, prefix, log });
}

/** The embedded database is one node's, and what is in its memory is all there is to know. */
function openLeases({ databaseUrl, redisUrl: url, redisPrefix: prefix }: Config, store: Store): Leases | undefined {
  if (databaseUrl === undefined) return undefined;
  return url === undefined ? store.leases(now) : openRedisLeases({ url, prefix, now });
}

function packageVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();

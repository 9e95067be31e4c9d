import { setTimeout as sleep } from 'node:timers/promises';
import { cannotListen, orCannotStart } from './cannot-start.ts';
import type { SidecarConfig } from './config/settings.ts';
import { Downstreams } from './egress/downstreams.ts';
import { Egress } from './egress/egress.ts';
import { tableOf } from './egress/route.ts';
import type { AdminGuard, OwnAdmin } from './ingress/admin-port.ts';
import { BackendWatch } from './ingress/backend-watch.ts';
import { Ingress } from './ingress/ingress.ts';
import { lookAt } from './ingress/look.ts';
import { isOneOf } from './ingress/peers.ts';
import { Registrar } from './ingress/registrar.ts';
import { registrationOf } from './ingress/registration.ts';
import { CertificateWatch, readCertificate, type Certificate, type CertificateFiles } from './listen/certificate.ts';
import { Listener, type Handlers } from './listen/listener.ts';
import { isLoopback } from './loopback.ts';
import { SidecarMetrics, type Direction } from './metrics.ts';
import { serveMetrics } from './metrics-listener.ts';
import type { Network, SidecarLog } from './ports.ts';

export interface SidecarDeps {
  readonly network: Network;
  readonly guard: AdminGuard;
  readonly own: OwnAdmin;
  readonly log: SidecarLog;
  /** Of no other sidecar: by it a request that went in a circle is known. */
  readonly id: string;
  /** For tests. Milliseconds from one look at the files of TLS to the next. Default: 2000. */
  readonly certificatesMs?: number;
}

const CERTIFICATES_MS = 2000;

export interface Sidecar {
  /** Undefined where there is no such listener. */
  readonly ports: { readonly egress?: number; readonly ingress?: number; readonly metrics?: number };
  /** Deregisters, waits until callers have noticed, drains, and ends. Never rejects. */
  close(): Promise<void>;
}

/** @throws CannotStart, and whatever else goes wrong; what had begun has ended then, the network too. */
export async function startSidecar(config: SidecarConfig, deps: SidecarDeps): Promise<Sidecar> {
  const { network, log } = deps;
  const listeners: Partial<Record<Direction, Listener>> = {};
  const ports: { egress?: number; ingress?: number; metrics?: number } = {};
  const downstreams = new Downstreams(network, { maxNamed: config.maxNamed, timeoutMs: config.timeout });
  let watch: BackendWatch | undefined;
  let registrar: Registrar | undefined;
  const metrics = new SidecarMetrics({
    connections: (direction) => listeners[direction]?.connections ?? 0,
    downstreams: () => downstreams.all(),
    backendIsHealthy: () => watch?.isHealthy,
    isTurnedAway: () => network.isTurnedAway,
  });
  const certificates: CertificateWatch[] = [];
  let metricsListener: Awaited<ReturnType<typeof serveMetrics>> | undefined;
  const at = async <T>(what: Direction | 'metrics', listen: () => Promise<T>): Promise<T> => {
    const [host, port] = [config[`${what}Host`], config[`${what}Port`]];
    return orCannotStart(listen, (error) =>
      cannotListen(`${what}.port`, host, port, (error as NodeJS.ErrnoException).code ?? error.message),
    );
  };
  const listen = async (direction: Direction, handlers: Handlers): Promise<number> => {
    const files = tlsFilesOf(config, direction);
    const certificate =
      files &&
      (await orCannotStart(
        () => readCertificate(files),
        ({ message }) => `${direction}.tlsCert, ${direction}.tlsKey: ${message}`,
      ));
    const listener = listenerOf(config, direction, certificate, handlers, log);
    const port = await at(direction, () => listener.listen());
    listeners[direction] = listener;
    ports[direction] = port;
    if (files !== undefined && certificate !== undefined) {
      const watched = { direction, intervalMs: deps.certificatesMs ?? CERTIFICATES_MS, listener, log };
      certificates.push(watchCertificate(files, certificate, watched));
    }
    log.info({ port }, `${direction} listens`);
    return port;
  };
  const begin = async (): Promise<void> => {
    // First of all: a port that is taken ends the start before anything is registered.
    if (config.metricsEnabled) {
      const { metricsHost: host, metricsPort: port } = config;
      metricsListener = await at('metrics', () => serveMetrics(metrics.registry, { host, port }));
      ports.metrics = metricsListener.port;
      log.info({ port: ports.metrics }, 'metrics are served');
    }
    if (config.egressEnabled) {
      downstreams.prepare(
        config.routes.map((route) => ({ ...route, ...environmentOf(route.environment ?? config.environment) })),
      );
      await listen('egress', egressOf(config, deps, downstreams, metrics));
    }
    if (config.ingressService !== undefined) {
      const service = config.ingressService;
      const isHealthy = (): boolean => watch?.isHealthy ?? false;
      const port = await listen(
        'ingress',
        ingressOf(config, service, deps, { isHealthy, listener: () => listeners.ingress?.host }, metrics),
      );
      const kept = (registrar = new Registrar(network, registrationOf(config, service, port), log));
      watch = new BackendWatch({
        look: lookAt(config.backend, config.backendHealth),
        intervalMs: config.healthInterval,
        timeoutMs: config.healthTimeout,
        unhealthyAfter: config.unhealthyAfter,
        onChange: (healthy, why) => {
          log[healthy ? 'info' : 'warn'](
            { backend: config.backend, why },
            healthy ? 'the backend is healthy' : 'the backend is not healthy',
          );
          void kept.set(healthy);
        },
      });
      watch.start();
    }
  };

  const end = async (): Promise<void> => {
    watch?.stop();
    for (const certificate of certificates) certificate.stop();
    // Callers are told before the backend stops taking their calls.
    if (registrar !== undefined) {
      listeners.ingress?.leave();
      await registrar.set(false);
      await sleep(config.settle);
    }
    const began = performance.now();
    const left = (): number => Math.max(0, config.drain - (performance.now() - began));
    await listeners.ingress?.close(left());
    // What is under way may still call other services.
    await listeners.egress?.close(left());
    downstreams.close();
    await network.close();
    metricsListener?.close();
  };
  try {
    await begin();
  } catch (error) {
    await end();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return { ports, close: () => (closed ??= end()) };
}

function egressOf(
  config: SidecarConfig,
  { id }: SidecarDeps,
  downstreams: Downstreams,
  metrics: SidecarMetrics,
): Egress {
  const { routes, byHeader, environment, allowedHosts, keyHeader } = config;
  const placed = routes.map((route) => ({ ...route, ...environmentOf(route.environment ?? environment) }));
  return new Egress({
    table: tableOf(placed, { byHeader, environment, allowedUrls: new Set(allowedHosts) }),
    downstreams,
    pseudonym: `signalbox-${id}-egress`,
    keyHeader: keyHeader?.toLowerCase(),
    localOnly: config.egressLocalOnly && isLoopback(config.egressHost),
    tally: (called) => metrics.tally('egress', called),
  });
}

function ingressOf(
  config: SidecarConfig,
  service: string,
  { network, guard, own, log, id }: SidecarDeps,
  { isHealthy, listener }: { readonly isHealthy: () => boolean; readonly listener: () => string | undefined },
  metrics: SidecarMetrics,
): Ingress {
  const { backend, passThrough, actuator, guarded, check, forwardToken, trustedPeers } = config;
  return new Ingress({
    service,
    backend,
    send: network.address(backend, { timeoutMs: config.backendTimeout, keepAliveMs: config.keepAlive }).send,
    own,
    backendIsHealthy: isHealthy,
    passThrough,
    actuator,
    guard,
    guarded: ['/adm', ...guarded],
    healthIsOpen: check === 'http',
    forwardToken,
    pseudonym: `signalbox-${id}-ingress`,
    trusts: isOneOf(trustedPeers),
    listener,
    tally: metrics.tally('ingress', service),
    log,
  });
}

function tlsFilesOf(config: SidecarConfig, direction: Direction): CertificateFiles | undefined {
  const isEgress = direction === 'egress';
  const cert = isEgress ? config.egressTlsCert : config.ingressTlsCert;
  const key = isEgress ? config.egressTlsKey : config.ingressTlsKey;
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

interface Watched {
  readonly direction: Direction;
  readonly intervalMs: number;
  readonly listener: Pick<Listener, 'show'>;
  readonly log: SidecarLog;
}

const watchCertificate = (
  files: CertificateFiles,
  current: Certificate,
  { direction, intervalMs, listener, log }: Watched,
): CertificateWatch =>
  new CertificateWatch(files, current, {
    intervalMs,
    onChange: (certificate) => {
      listener.show(certificate);
      log.info({ direction }, 'the files of TLS have changed: new connections get the new certificate');
    },
    onFault: (fault) =>
      log.warn({ direction, fault }, 'the files of TLS have changed and cannot be used: the old certificate stays'),
  });

function listenerOf(
  config: SidecarConfig,
  direction: Direction,
  tls: Certificate | undefined,
  handlers: Handlers,
  log: SidecarLog,
): Listener {
  const isEgress = direction === 'egress';
  return new Listener(
    {
      host: isEgress ? config.egressHost : config.ingressHost,
      port: isEgress ? config.egressPort : config.ingressPort,
      ...(tls !== undefined && { tls }),
      maxHeaderBytes: config.maxHeaderBytes,
      headersTimeoutMs: config.headersTimeout,
      maxConnections: config.maxConnections,
      onError: (error) => log.error({ err: error }, `a request to ${direction} failed by a mistake of the sidecar`),
    },
    handlers,
  );
}

const environmentOf = (environment: string | undefined): { environment?: string } =>
  environment === undefined ? {} : { environment };

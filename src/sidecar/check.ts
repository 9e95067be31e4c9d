import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { cannotListen } from './cannot-start.ts';
import type { SidecarConfig } from './config/settings.ts';

/** What `signalbox sidecar --check` says: what the sidecar would do, and what would keep it from that. */
export interface CheckReport {
  readonly lines: readonly string[];
  readonly faults: readonly string[];
}

export interface CheckDeps {
  /** Undefined where one can listen there, else why not. */
  readonly whyNotListen: (host: string, port: number) => Promise<string | undefined>;
  /** Undefined where it can be read, else why not. */
  readonly whyNotRead: (file: string) => string | undefined;
  /** Undefined where Signalbox answers there, else why not. */
  readonly whyNotReady: (url: string) => Promise<string | undefined>;
}

export async function check(config: SidecarConfig, deps: CheckDeps): Promise<CheckReport> {
  const faults: string[] = [];
  for (const [name, file] of filesOf(config)) {
    const why = file === undefined ? undefined : deps.whyNotRead(file);
    if (why !== undefined) faults.push(`${name}: ${file} cannot be read (${why}).`);
  }
  for (const [name, host, port] of listenersOf(config)) {
    const why = port === 0 ? undefined : await deps.whyNotListen(host, port);
    if (why !== undefined) faults.push(cannotListen(name, host, port, why));
  }
  const answers = await Promise.all(
    config.urls.map(async (url) => {
      const why = await deps.whyNotReady(url);
      return why === undefined
        ? `Signalbox answers at ${url}.`
        : `Signalbox does not answer at ${url} (${why}): it is tried again and again.`;
    }),
  );
  return { lines: [...egressLines(config), ...ingressLines(config), ...metricsLines(config), ...answers], faults };
}

function* egressLines({
  egressEnabled,
  egressHost,
  egressPort,
  egressTlsCert,
  routes,
  byHeader,
  allowedHosts,
  environment,
}: SidecarConfig): Generator<string> {
  if (!egressEnabled) return yield 'Egress is off.';
  yield `Egress listens at ${egressTlsCert === undefined ? 'http' : 'https'}://${egressHost}:${egressPort}.`;
  for (const { prefix, service, strip, ...rest } of routes) {
    const about = Object.entries({ ...(environment !== undefined && { environment }), ...rest }).map(
      ([name, value]) => `${name} ${value}`,
    );
    yield `  ${prefix} -> ${[service, ...about].join(', ')}${strip && prefix !== '/' ? ', without the prefix' : ''}`;
  }
  if (byHeader) yield '  header service_id -> the service that it names';
  else if (routes.length === 0)
    yield '  no request has anywhere to go: egress.routes is empty, and egress.byHeader is false';
  for (const host of allowedHosts) yield `  header service_url -> ${host} is allowed`;
}

function* ingressLines(config: SidecarConfig): Generator<string> {
  const {
    ingressService,
    ingressHost,
    ingressPort,
    ingressTlsCert,
    backend,
    backendHealth,
    check: kind,
    issuers,
    development,
  } = config;
  if (ingressService === undefined)
    return yield 'Ingress is off: ingress.service names no service, and nothing is registered.';
  yield `Ingress listens at ${ingressTlsCert === undefined ? 'http' : 'https'}://${ingressHost}:${ingressPort}, for ${backend}.`;
  const where = `${config.registeredAddress ?? 'the address of this machine'}:${config.registeredPort ?? ingressPort}`;
  const about = [config.environment, config.version, config.region].filter((text) => text !== undefined);
  yield `  registered as ${[ingressService, ...about].join(', ')} at ${where}, check ${kind}, while ${backendHealth === undefined ? 'its port is open' : `${backendHealth} answers 2xx`}`;
  yield issuers.length > 0
    ? `  admin endpoints for bearers of tokens of ${issuers.map(({ issuer }) => issuer).join(', ')}`
    : `  admin endpoints for ${development ? 'every program on this machine' : 'nobody: admin.issuers is empty'}`;
}

function* metricsLines({ metricsEnabled, metricsHost, metricsPort }: SidecarConfig): Generator<string> {
  if (metricsEnabled) yield `Metrics at http://${metricsHost}:${metricsPort}/metrics.`;
}

const filesOf = (config: SidecarConfig): readonly (readonly [string, string | undefined])[] => [
  ['signalbox.tokenFile', config.tokenFile],
  ['egress.tlsCert', config.egressTlsCert],
  ['egress.tlsKey', config.egressTlsKey],
  ['ingress.tlsCert', config.ingressTlsCert],
  ['ingress.tlsKey', config.ingressTlsKey],
];

function* listenersOf(config: SidecarConfig): Generator<readonly [string, string, number]> {
  if (config.egressEnabled) yield ['egress.port', config.egressHost, config.egressPort];
  if (config.ingressService !== undefined) yield ['ingress.port', config.ingressHost, config.ingressPort];
  if (config.metricsEnabled) yield ['metrics.port', config.metricsHost, config.metricsPort];
}

const READY_MS = 3000;

/** Of this machine. */
export const CHECKS: CheckDeps = {
  whyNotListen: (host, port) =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      server.listen({ host, port }, () => server.close(() => resolve(undefined)));
    }),
  whyNotRead: (file) => {
    try {
      accessSync(file, constants.R_OK);
      return undefined;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'it cannot';
    }
  },
  whyNotReady: async (url) => {
    try {
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(READY_MS), redirect: 'manual' });
      await response.body?.cancel();
      return response.ok ? undefined : `/readyz is ${response.status}`;
    } catch (error) {
      const { cause, name } = error as { readonly cause?: { readonly code?: unknown }; readonly name?: unknown };
      return String(cause?.code ?? name);
    }
  },
};

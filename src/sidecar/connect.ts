import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import { listLoggers, setLoggers } from '../kit/admin/logger.ts';
import { serverInfo } from '../kit/admin/server-info.ts';
import { createGuard } from '../kit/guard.ts';
import { readModules } from '../kit/info/modules.ts';
import { Loggers } from '../kit/logging/loggers.ts';
import { Calls } from '../sdk/calling/dispatch.ts';
import type { CallOptions } from '../sdk/calling/options.ts';
import { SignalboxClient } from '../sdk/client.ts';
import { DiscoveredService } from '../sdk/discovery/discovered-service.ts';
import type { Endpoint, InstanceSource, Targets } from '../sdk/discovery/endpoint.ts';
import { WatchedInstances } from '../sdk/discovery/instance-source.ts';
import type { ServiceOptions } from '../sdk/discovery/options.ts';
import { overrideSource } from '../sdk/discovery/override-source.ts';
import { overrideOf } from '../sdk/discovery/overrides.ts';
import { selectOf } from '../sdk/discovery/select.ts';
import { settingsOf } from '../sdk/discovery/settings.ts';
import { nodeParts } from '../sdk/node-parts.ts';
import type { SidecarConfig } from './config/settings.ts';
import type { AdminGuard, OwnAdmin } from './ingress/admin-port.ts';
import type { Downstream, Network, Outgoing, Selection, Send } from './ports.ts';
import { sendThrough } from './proxy/send-through.ts';

/** What the sidecar is made of, of the client library and the kit. */
export interface Connected {
  readonly network: Network;
  readonly guard: AdminGuard;
  readonly own: OwnAdmin;
}

export type Connect = (config: SidecarConfig, log: Logger) => Connected;

/** The one place where the client library and the kit are put in. */
export const connect: Connect = (config, log) => {
  const serviceId = config.ingressService ?? 'sidecar';
  const { issuers, development, ingressApiId: apiId } = config;
  const loggers = new Loggers(log);
  const info = serverInfo({
    options: {},
    modules: readModules(import.meta.dirname),
    apiVersion: config.version,
    framework: 'signalbox-sidecar',
    plugins: () => [],
    own: config,
    env: process.env,
  });
  return {
    network: new SdkNetwork(config, log),
    guard: createGuard(issuers.length > 0 ? issuers : development ? 'development' : undefined, {
      serviceId,
      ...(apiId !== undefined && { apiId }),
    }),
    own: { serverInfo: info, listLoggers: listLoggers(loggers), setLoggers: setLoggers(loggers) },
  };
};

const DRAIN_MS = 1000;

/** The client library's discovery and calling, for a proxy: requests are dispatched, not fetched. */
class SdkNetwork implements Network {
  readonly #config: SidecarConfig;
  readonly #log: Logger;
  readonly #client: SignalboxClient;
  readonly #addresses: ReadonlySet<string>;
  readonly #open = new Set<Calls>();

  constructor(config: SidecarConfig, log: Logger) {
    const { urls, tokenFile, allowHttp, directory, environment, maxAge } = config;
    this.#config = config;
    this.#log = log;
    this.#addresses = new Set(
      Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
    );
    this.#client = new SignalboxClient(
      {
        urls,
        allowHttp,
        log,
        ...(tokenFile !== undefined && { auth: { tokenFile } }),
        ...(directory !== undefined && { directory }),
        ...(environment !== undefined && { environment }),
        ...(maxAge !== 'off' && { maxAge }),
      },
      nodeParts(),
    );
  }

  downstream({ service, ...which }: Selection): Downstream {
    const { balance, environment, timeout, retries, recycleRequests, recycleAge } = this.#config;
    const options: ServiceOptions = { ...which, balance };
    const override = overrideOf(service, {}, process.env);
    const source =
      override === undefined
        ? new WatchedInstances(this.#client.watch(selectOf(service, options, environment)))
        : overrideSource(service, override);
    return this.#openWith(service, source, options, {
      timeoutMs: timeout,
      retries,
      // A stream of events may be quiet for long.
      bodyTimeoutMs: 0,
      connections: { maxRequests: recycleRequests, maxAgeMs: recycleAge },
    });
  }

  address(url: string): Pick<Downstream, 'send' | 'close'> {
    const source = overrideSource(url, { from: 'the configuration', urls: [new URL(url)] });
    // There is no other instance to try, and nothing to leave out.
    return this.#openWith(
      url,
      source,
      { ejection: false, slowStart: false },
      {
        timeoutMs: this.#config.backendTimeout,
        retries: 0,
        breaker: false,
        bodyTimeoutMs: 0,
      },
    );
  }

  register(registration: Parameters<Network['register']>[0]): ReturnType<Network['register']> {
    return this.#client.register(registration, { startOnRegistryFailure: true });
  }

  async close(): Promise<void> {
    await this.#client.close();
    await Promise.all([...this.#open].map((calls) => calls.close({ timeoutMs: DRAIN_MS })));
  }

  #openWith(service: string, source: InstanceSource, options: ServiceOptions, how: CallOptions): Downstream {
    const { maxAge, region } = this.#config;
    const now = (): number => performance.now();
    const defaults = { ...(maxAge !== 'off' && { maxAge }), ...(region !== undefined && { region }) };
    let ejections = 0;
    const log = {
      info: (about: object, message: string): void => {
        if ('forMs' in about) ejections += 1;
        this.#log.info(about, message);
      },
      error: (about: object, message: string): void => this.#log.error(about, message),
    };
    const deps = { now, random: Math.random, addresses: this.#addresses, log };
    const targets = new DiscoveredService(service, source, settingsOf(options, defaults), deps);
    const calls = new Calls({ targets, options: how, now, random: Math.random });
    this.#open.add(calls);
    return {
      id: service,
      get state() {
        return targets.state;
      },
      get age() {
        return targets.age;
      },
      get ejections() {
        return ejections;
      },
      send: sendOf(targets, calls),
      instances: () => (targets.state === 'loading' ? [] : targets.instances),
      ready: (waiting) => targets.ready(waiting),
      close: () => {
        targets.close();
        this.#open.delete(calls);
        void calls.close({ timeoutMs: DRAIN_MS });
      },
    };
  }
}

function sendOf(targets: Targets, calls: Calls): Send {
  const usual = sendThrough(calls);
  return (outgoing, incoming) => {
    if (outgoing.instance === undefined) return usual(outgoing, incoming);
    const endpoint = endpointAt(targets, outgoing);
    if (endpoint === undefined) return usual({ ...outgoing, instance: undefined } as never, incoming);
    sendThrough({ call: (_request, send) => send(calls.acquire(endpoint)) })(outgoing, incoming);
  };
}

function endpointAt(targets: Targets, { instance, key }: Outgoing): Endpoint | undefined {
  const others = new Set<Endpoint>();
  for (;;) {
    const endpoint = targets.pick(key, others);
    if (endpoint === undefined || others.has(endpoint)) return undefined;
    if (new URL(endpoint.url).origin === instance) return endpoint;
    others.add(endpoint);
  }
}

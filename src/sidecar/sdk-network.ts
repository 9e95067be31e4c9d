import { hostname, networkInterfaces } from 'node:os';
import { Calls } from '../sdk/calling/dispatch.ts';
import type { CallOptions } from '../sdk/calling/options.ts';
import { SignalboxClient } from '../sdk/client.ts';
import { DiscoveredService, type DiscoveryDeps } from '../sdk/discovery/discovered-service.ts';
import type { InstanceSource } from '../sdk/discovery/endpoint.ts';
import { hostAddresses } from '../sdk/discovery/host-addresses.ts';
import { WatchedInstances } from '../sdk/discovery/instance-source.ts';
import type { ServiceOptions } from '../sdk/discovery/options.ts';
import { overrideSource } from '../sdk/discovery/override-source.ts';
import { overrideOf, overrideVariables } from '../sdk/discovery/overrides.ts';
import { selectOf } from '../sdk/discovery/select.ts';
import { settingsOf } from '../sdk/discovery/settings.ts';
import { SignalboxError } from '../sdk/errors.ts';
import { nodeParts } from '../sdk/node-parts.ts';
import type { ClientLog } from '../sdk/options.ts';
import type { Select } from '../sdk/select.ts';
import { CalledService } from './called-service.ts';
import type { SidecarConfig } from './config/settings.ts';
import { originsIn, type Env } from './env.ts';
import type { AddressOptions, Downstream, Network, Selection } from './ports.ts';

/** How long calls under way may go on once the listeners are closed. */
const DRAIN_MS = 1000;

/** The client library's discovery and calling, for a proxy: requests are dispatched, not fetched. */
export class SdkNetwork implements Network {
  readonly #config: SidecarConfig;
  readonly #env: Env;
  /** Variables that have the name of a service, and no addresses. */
  readonly #unused: Set<string>;
  readonly #log: Pick<ClientLog, 'warn'>;
  readonly #client: SignalboxClient;
  readonly #discovery: DiscoveryDeps;
  readonly #open = new Set<CalledService>();

  constructor(config: SidecarConfig, { log, env }: { readonly log: ClientLog; readonly env: Env }) {
    const { urls, tokenFile, allowHttp, directory, environment, maxAge } = config;
    this.#config = config;
    this.#env = originsIn(env);
    this.#unused = new Set(Object.keys(env).filter((name) => env[name] !== '' && this.#env[name] === undefined));
    this.#log = log;
    this.#discovery = {
      now: () => performance.now(),
      random: Math.random,
      addresses: hostAddresses(networkInterfaces(), hostname()),
      log,
    };
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
    const override = overrideOf(service, {}, this.#env);
    if (override === undefined) this.#sayWhatIsNotUsed(service);
    const source =
      override === undefined
        ? this.#watched(selectOf(service, options, environment))
        : overrideSource(service, override);
    return this.#call(service, source, options, {
      timeoutMs: timeout,
      retries,
      // A stream of events may be quiet for long.
      bodyTimeoutMs: 0,
      connections: { maxRequests: recycleRequests, maxAgeMs: recycleAge },
    });
  }

  get isTurnedAway(): boolean {
    return this.#client.turnedAway !== undefined;
  }

  address(url: string, { timeoutMs, keepAliveMs }: AddressOptions): Pick<Downstream, 'send' | 'close'> {
    const source = overrideSource(url, { from: 'the configuration', urls: [new URL(url)] });
    // There is no other instance to try, and nothing to leave out.
    const options: ServiceOptions = { ejection: false, slowStart: false };
    return this.#call(url, source, options, {
      timeoutMs,
      retries: 0,
      // Its server may end an unused connection while a request is on its way.
      repeatReset: true,
      ...(keepAliveMs !== undefined && { connections: { keepAliveMs } }),
      breaker: false,
      bodyTimeoutMs: 0,
    });
  }

  register(registration: Parameters<Network['register']>[0]): ReturnType<Network['register']> {
    return this.#client.register(registration, { startOnRegistryFailure: true });
  }

  async close(): Promise<void> {
    await this.#client.close();
    await Promise.all([...this.#open].map((called) => called.end(DRAIN_MS)));
  }

  /** Of who is turned away, callers are told why: nothing is stopping. */
  #watched(select: Select): WatchedInstances {
    const { turnedAway } = this.#client;
    if (turnedAway === undefined) return new WatchedInstances(this.#client.watch(select));
    const detail = `Signalbox has turned the sidecar away, which knows only what it called before: ${turnedAway.message}`;
    throw new SignalboxError(turnedAway.code, detail, { cause: turnedAway, unsent: true });
  }

  /** Once, and without the value: it may be a secret that is meant for something else. */
  #sayWhatIsNotUsed(service: string): void {
    for (const variable of overrideVariables(service)) {
      if (!this.#unused.delete(variable)) continue;
      const what = `${variable} does not stand for ${service}: it is no list of addresses such as http://localhost:3000`;
      this.#log.warn({ variable, service }, what);
    }
  }

  #call(service: string, source: InstanceSource, options: ServiceOptions, how: CallOptions): CalledService {
    const { maxAge, region } = this.#config;
    const defaults = { ...(maxAge !== 'off' && { maxAge }), ...(region !== undefined && { region }) };
    const targets = new DiscoveredService(service, source, settingsOf(options, defaults), this.#discovery);
    const { now, random } = this.#discovery;
    const calls = new Calls({ targets, options: how, now, random });
    const called = new CalledService(targets, calls, () => {
      void called.retire().finally(() => this.#open.delete(called));
    });
    this.#open.add(called);
    return called;
  }
}

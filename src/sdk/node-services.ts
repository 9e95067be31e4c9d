import { hostname, networkInterfaces } from 'node:os';
import { createCaller, type ServiceCaller } from './calling/caller.ts';
import { hostAddresses } from './discovery/host-addresses.ts';
import { createServices } from './discovery/service.ts';
import type { ServiceDeps, Services } from './parts.ts';

/** Services for a client in Node: found in its copies, called over connections that are kept. */
export function nodeServices(deps: ServiceDeps): Services {
  const { options, env, time, random, log } = deps;
  const now = (): number => time.now();
  /** Also those that a user has closed, until they have drained. */
  const callers = new Set<ServiceCaller>();
  const { environment, maxAge, overrides = {} } = options;
  const region = options.region ?? (env['SIGNALBOX_REGION'] || undefined);
  const zone = options.zone ?? (env['SIGNALBOX_ZONE'] || undefined);

  const close = (caller: ServiceCaller, ending?: { readonly timeoutMs: number }): Promise<void> =>
    caller.close(ending).finally(() => callers.delete(caller));

  const services = createServices({
    source: (select) => deps.source(select),
    caller: (targets, callOptions) => {
      const caller = createCaller(targets, callOptions, { now, random });
      callers.add(caller);
      return {
        fetch: (path, init) => caller.fetch(path, init),
        stats: () => caller.calls.stats,
        close: () => void close(caller),
      };
    },
    now,
    random,
    log,
    addresses: hostAddresses(networkInterfaces(), hostname()),
    overrides,
    env,
    ...(environment !== undefined && { environment }),
    ...(maxAge !== undefined && { maxAge }),
    ...(region !== undefined && { region }),
    ...(zone !== undefined && { zone }),
  });
  return {
    service: (id, serviceOptions) => services.service(id, serviceOptions),
    async close(ending) {
      services.close();
      // Those that drain for as long as it takes are given an end as well.
      await Promise.allSettled([...callers].map((caller) => close(caller, ending)));
    },
  };
}

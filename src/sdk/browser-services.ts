import { createServices } from './discovery/service.ts';
import { SignalboxError } from './errors.ts';
import type { ServiceDeps, Services } from './parts.ts';

const cannotCall = (): Promise<never> =>
  Promise.reject(
    new SignalboxError(
      'invalid-options',
      'A client in a browser keeps no connections of its own: pass the URL of what `pick` answers to the `fetch` of the page.',
    ),
  );

/** Services for a client in a browser: found and chosen as in Node, and called by the page itself. */
export function browserServices(deps: ServiceDeps): Services {
  const { options, time, random, log } = deps;
  const services = createServices({
    ...options,
    source: (select) => deps.source(select),
    caller: () => ({ fetch: cannotCall, stats: () => ({ calls: 0, retries: 0 }), close: () => {} }),
    now: () => time.now(),
    random,
    log,
    addresses: new Set(),
    overrides: options.overrides ?? {},
    env: {},
  });
  return {
    service: (id, serviceOptions) => services.service(id, serviceOptions),
    close() {
      services.close();
      return Promise.resolve();
    },
  };
}

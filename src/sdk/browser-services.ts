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
export function browserServices({ source, options, time, random, log }: ServiceDeps): Services {
  const services = createServices({
    ...options,
    source,
    caller: () => ({ fetch: cannotCall, close: () => {} }),
    now: () => time.now(),
    random,
    log,
    addresses: new Set(),
    overrides: options.overrides ?? {},
    env: {},
  });
  return {
    service: services.service,
    close() {
      services.close();
      return Promise.resolve();
    },
  };
}

import type { Targets } from '../discovery/endpoint.ts';
import { Calls } from './dispatch.ts';
import { fetchFrom } from './fetch.ts';
import type { CallOptions, FetchInit, FetchResponse } from './options.ts';

/** What a service needs to be called. */
export interface ServiceCaller {
  /** For who makes requests in a way of its own, such as a proxy. */
  readonly calls: Calls;
  fetch(path: string, init?: FetchInit): Promise<FetchResponse>;
  /** Takes no more calls. Resolves when those under way have ended, which are cut after `timeoutMs`. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** Calls the instances of one service. */
export function createCaller(
  targets: Targets,
  options: CallOptions = {},
  { now = () => performance.now(), random = Math.random }: { now?: () => number; random?: () => number } = {},
): ServiceCaller {
  const calls = new Calls({ targets, options, now, random });
  return {
    calls,
    fetch: (path, init) => fetchFrom(calls, path, init, options.trace),
    close: (ending) => calls.close(ending),
  };
}

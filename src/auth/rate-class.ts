import type { RateClass } from '../domain/rate.ts';
import type { Action } from './actions.ts';

/** What there is to know of a route in order to say what it is for. */
export interface RateRoute {
  readonly action: Action;
  readonly method: string;
  readonly url: string;
}

/** What every service asks all the time, although it answers a list. */
const DISCOVERY = '/v1/services/:service/instances';
const CHANGES = '/v1/changes';

/** The class of a route; `undefined` for what is always answered. A change that is waited for is the feed's. */
export function rateClassOf({ action, method, url }: RateRoute): RateClass | undefined {
  // Whoever restarts a process that does not answer would make everything worse.
  if (action === 'health.read') return undefined;
  if (action === 'feed.watch') return 'resume';
  if (action === 'docs.read' || action === 'metrics.read' || url === DISCOVERY) return 'read';
  if (url.endsWith('/renew')) return 'renew';
  if (method !== 'GET' && method !== 'HEAD') return 'write';
  if (url === '/v1/state') return 'read';
  return isOfOne(url) ? 'read' : 'list';
}

/** Whether a request for the log is one that waits, as a watcher does. */
export const isPoll = (route: string, url: string): boolean => route === CHANGES && /[?&]wait=/.test(url);

const isOfOne = (url: string): boolean => /\/:[a-zA-Z]+(?:\/override)?$/.test(url);

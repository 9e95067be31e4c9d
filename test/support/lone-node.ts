import { alone } from '../../src/cluster/cluster.ts';
import type { ClusterStatus } from '../../src/cluster/status.ts';
import type { Head } from '../../src/domain/position.ts';

/** What a node that is alone says of itself. */
export const loneNode = (state: { readonly ready: boolean; readonly head: Head }): ClusterStatus =>
  alone({
    me: { id: 'n1', name: 'test', version: '0.0.0' },
    state,
    levels: () => ({ watchers: 0, subscriptions: 0, instances: 0 }),
    now: () => performance.now(),
    clock: () => Date.UTC(2026, 0, 15),
  }).status;

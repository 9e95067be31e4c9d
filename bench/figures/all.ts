import type { Figure } from '../lib/figure.ts';
import { access } from './access.ts';
import { burst } from './burst.ts';
import { caches } from './caches.ts';
import { checks } from './checks.ts';
import { discovery } from './discovery.ts';
import { failover } from './failover.ts';
import { fanout, instanceFanout } from './fanout.ts';
import { fetching } from './fetch.ts';
import { instanceMemory } from './instance-memory.ts';
import { memory } from './memory.ts';
import { micro } from './micro.ts';
import { nodes } from './nodes.ts';
import { pick } from './pick.ts';
import { reads } from './reads.ts';
import { reconnect } from './reconnect.ts';
import { registrations } from './registrations.ts';
import { renewals } from './renewals.ts';
import { sharing } from './sharing.ts';
import { sidecar } from './sidecar.ts';
import { start } from './start.ts';
import { writes } from './writes.ts';

const CATALOG = [writes, reads, fanout, burst, reconnect, memory, start, micro];
const RUNTIME = [registrations, discovery, instanceFanout, renewals, checks, instanceMemory, access];
const NODES = [nodes, failover, sharing];
const CLIENT = [pick, fetching, sidecar, caches];

export const FIGURES: readonly Figure[] = [...CATALOG, ...RUNTIME, ...NODES, ...CLIENT];

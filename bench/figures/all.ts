import type { Figure } from '../lib/figure.ts';
import { burst } from './burst.ts';
import { fanout } from './fanout.ts';
import { memory } from './memory.ts';
import { micro } from './micro.ts';
import { reads } from './reads.ts';
import { reconnect } from './reconnect.ts';
import { start } from './start.ts';
import { writes } from './writes.ts';

export const FIGURES: readonly Figure[] = [writes, reads, fanout, burst, reconnect, memory, start, micro];

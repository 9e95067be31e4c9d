import type { Logger } from 'pino';
import type { Conditions } from './cluster/conditions.ts';
import type { Monitor } from './health/monitor.ts';

/** Says once that the database is away, and once that it is back; the leases stand still in between (INS3). */
export function reportOutages(
  isStopping: () => boolean,
  log: Logger,
  errors: { inc(): void },
  monitor: Pick<Monitor, 'storeAway' | 'storeBack'>,
  conditions: Conditions,
): { failed: (error: unknown) => void; worked: () => void } {
  let out = false;
  return {
    failed: (error) => {
      // What still asks when the connections are closed is answered by nobody.
      if (isStopping()) return;
      errors.inc();
      if (!out) log.error({ err: error }, 'the database is away: reads and watches go on, writes answer 503');
      out = true;
      conditions.set('database-away', true);
      monitor.storeAway();
    },
    worked: () => {
      if (out) log.info('the database is back');
      out = false;
      conditions.set('database-away', false);
      monitor.storeBack();
    },
  };
}

/** Says once why writes fail, and once that they work again: those who ask for them are told 503, and no reason. */
export function reportCommitFailures(
  isStopping: () => boolean,
  log: Pick<Logger, 'error' | 'info'>,
  errors: { inc(): void },
): { failed: (error: unknown) => void; worked: () => void } {
  let out = false;
  return {
    failed: (error) => {
      if (isStopping()) return;
      errors.inc();
      if (!out) log.error({ err: error }, 'the database does not take writes: they answer 503');
      out = true;
    },
    worked: () => {
      if (out) log.info('the database takes writes again');
      out = false;
    },
  };
}

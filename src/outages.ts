import type { Logger } from 'pino';
import type { Conditions } from './cluster/conditions.ts';
import type { Monitor } from './health/monitor.ts';

interface Outages {
  readonly failed: (error: unknown) => void;
  readonly worked: () => void;
}

interface Telling {
  readonly isStopping: () => boolean;
  readonly log: Pick<Logger, 'error' | 'info'>;
  readonly errors: { inc(): void };
  readonly away: string;
  readonly back: string;
}

/** Says once that something does not work, and why, and once that it does again. Answers whether it counts. */
function telling({ isStopping, log, errors, away, back }: Telling) {
  let out = false;
  return {
    failed: (error: unknown): boolean => {
      // What still asks when the connections are closed is answered by nobody.
      if (isStopping()) return false;
      errors.inc();
      if (!out) log.error({ err: error }, away);
      out = true;
      return true;
    },
    worked: (): void => {
      if (out) log.info(back);
      out = false;
    },
  };
}

/** Says once that the database is away, and once that it is back; the leases stand still in between (INS3). */
export function reportOutages(
  isStopping: () => boolean,
  log: Pick<Logger, 'error' | 'info'>,
  errors: { inc(): void },
  monitor: Pick<Monitor, 'storeAway' | 'storeBack'>,
  conditions: Conditions,
): Outages {
  const away = 'the database is away: reads and watches go on, writes answer 503';
  const tell = telling({ isStopping, log, errors, away, back: 'the database is back' });
  return {
    failed: (error) => {
      if (!tell.failed(error)) return;
      conditions.set('database-away', true);
      monitor.storeAway();
    },
    worked: () => {
      tell.worked();
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
): Outages {
  const away = 'the database does not take writes: they answer 503';
  return telling({ isStopping, log, errors, away, back: 'the database takes writes again' });
}

import { formatDuration } from '../domain/duration.ts';
import type { AdvisoryBody } from '../domain/instances/edits.ts';
import { NO_REGION, regionOverrideName } from '../domain/names.ts';

const CODE = 'eviction-guard';

export interface GuardFacts {
  readonly service: string;
  /** `-` for instances without one. */
  readonly region: string;
  /** So many have failed. */
  readonly failed: number;
  /** So many were in service at the beginning of the window. */
  readonly of: number;
  /** So many of the failed are kept. */
  readonly held: number;
  readonly windowMs: number;
  /** RFC 3339, UTC. */
  readonly until: string;
}

/** No region is called `-`, so no two groups share an id. */
export const guardAdvisoryId = (service: string, region: string): string => `${CODE}.${service}.${region}`;

export const isGuardAdvisory = ({ code }: { readonly code: string }): boolean => code === CODE;

export const placeOf = (region: string): string => (region === NO_REGION ? 'without a region' : `in ${region}`);

export function guardAdvisory({ service, region, failed, of, held, windowMs, until }: GuardFacts): AdvisoryBody {
  const message =
    `${failed} of ${of} instances of ${service} ${placeOf(region)} have failed within ${formatDuration(windowMs)}. ` +
    `${held} of them ${held === 1 ? 'is' : 'are'} kept in service, in case it is not they that failed, until ${until} at the latest. ` +
    `To give them up now, put {"evictionGuard": false, "reason": "..."} to /v1/${regionOverrideName(service, region)}.`;
  return { code: CODE, service, region, message, until };
}

import type { RateLimitSettings } from './auth/rate-limits.ts';
import type { Config } from './config.ts';
import type { ProjectLimits } from './domain/quota.ts';

const set = <T>(value: T | 'off'): T | undefined => (value === 'off' ? undefined : value);

/** The settings of rate limits; none in development mode, where everyone is the administrator of this machine. */
export function rateLimitsOf(config: Config): RateLimitSettings | undefined {
  if (config.oidcIssuers === undefined) return undefined;
  const rates = {
    renew: config.rateLimitRenew,
    resume: config.rateLimitResume,
    read: config.rateLimitRead,
    list: config.rateLimitList,
    write: config.rateLimitWrite,
  };
  const unknown = set(config.rateLimitUnknown);
  const bearableLagMs = set(config.overloadLag);
  return {
    rates: Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== 'off')),
    ...(unknown !== undefined && { unknown }),
    ...(bearableLagMs !== undefined && { bearableLagMs }),
  };
}

/** What projects may hold. */
export function projectLimitsOf(config: Config): ProjectLimits {
  const services = set(config.projectMaxServices);
  const instances = set(config.projectMaxInstances);
  return { ...(services !== undefined && { services }), ...(instances !== undefined && { instances }) };
}

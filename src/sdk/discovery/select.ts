import type { Select } from '../../protocol/frames.ts';
import type { ServiceOptions } from './options.ts';

const PROTOCOLS: readonly string[] = ['http', 'https'];

/** What to watch for a service: those of its instances that can be called now. `environment`: where the options name none. */
export function selectOf(id: string, options: ServiceOptions, environment: string | undefined): Select {
  const { version, protocol = PROTOCOLS, region, tags } = options;
  const wanted = options.environment ?? environment;
  return {
    kind: 'instance',
    services: [id],
    passing: true,
    protocols: typeof protocol === 'string' ? [protocol] : [...protocol],
    ...(wanted !== undefined && { environments: [wanted] }),
    ...(version !== undefined && { versions: [version] }),
    ...(region !== undefined && { regions: [region] }),
    ...(tags !== undefined && Object.keys(tags).length > 0 && { tags: { ...tags } }),
  };
}

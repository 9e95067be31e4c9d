import { makeItem, type AnyItem } from '../../src/domain/item.ts';
import type { Labels, Value } from '../../src/domain/resources.ts';
import type { Selector } from '../../src/domain/selector.ts';
import type { Random } from '../support/random.ts';

const SERVICES = ['a.example', 'b.example', 'c.example'];
const REGIONS = ['us-east', 'eu-west'];
/** What an instance is, which never changes; two of each service. */
const IDENTITIES = new Map(
  SERVICES.flatMap((service, s) =>
    [0, 1].map((i) => [
      `instances/${String(s * 2 + i).padStart(24, '0')}`,
      { service, protocol: i === 0 ? 'http' : 'grpc', ...(s > 0 && { environment: i === 0 ? 'prod' : 'test' }) },
    ]),
  ),
);
/** Instances twice: they change most. */
export const NAMES = [
  ...REGIONS.map((r) => `regions/${r}`),
  ...SERVICES.map((s) => `services/${s}`),
  ...SERVICES.flatMap((s) => [`services/${s}/versions/v1`, ...REGIONS.map((r) => `services/${s}/deployments/${r}`)]),
  ...IDENTITIES.keys(),
  ...IDENTITIES.keys(),
  'services/a.example/regions/us-east/override',
  'services/b.example/regions/-/override',
  'instances/000000000000000000000001/override',
  'advisories/guard.a.example.us-east',
];
export const SELECTORS: Selector[] = [
  { kind: '*' },
  { kind: 'deployment' },
  { kind: 'deployment', services: ['a.example', 'b.example'] },
  { kind: '*', services: ['b.example'] },
  { kind: '*', regions: ['us-east'] },
  { kind: 'deployment', services: ['a.example'], regions: ['eu-west'] },
  { kind: '*', labels: { tier: 'gold' } },
  { kind: 'service', labels: { tier: 'gold', team: 'x' } },
  { kind: 'bundle' },
  { kind: 'instance' },
  { kind: 'instance', passing: true },
  { kind: 'instance', services: ['a.example'], passing: true, versions: ['v1'] },
  { kind: 'instance', regions: ['us-east'], passing: false },
  { kind: 'instance', environments: [''] },
  { kind: 'instance', environments: ['', 'prod'], protocols: ['grpc'] },
  { kind: '*', tags: { tier: 'gold' } },
  { kind: 'instance', services: ['b.example', 'c.example'], tags: { team: 'x' }, passing: true },
  { kind: '*', versions: ['v1', 'v2'] },
  { kind: 'override' },
  { kind: 'advisory', services: ['a.example'], regions: ['us-east'] },
];

function randomLabels(random: Random): Labels {
  const labels: Record<string, string> = {};
  if (random.chance(0.5)) labels['tier'] = random.pick(['gold', 'silver']);
  if (random.chance(0.3)) labels['team'] = random.pick(['x', 'y']);
  return labels;
}

/** The feed looks at names, revisions, labels and facets only, so the rest of a value is left out here. */
export function randomItem(random: Random, name: string, revision: number): AnyItem {
  const identity = IDENTITIES.get(name);
  if (identity !== undefined) {
    const region = random.pick([...REGIONS, undefined]);
    const version = random.pick(['v1', 'v2', undefined]);
    const changing = { ...(region !== undefined && { region }), ...(version !== undefined && { version }) };
    const passing = random.chance(0.6);
    const value = { name, revision, ...identity, ...changing, passing, tags: randomLabels(random), port: 80 };
    return makeItem(value as unknown as Value);
  }
  if (name.endsWith('/override') || name.startsWith('advisories/')) {
    const service = name.split('/')[0] === 'services' ? name.split('/')[1] : 'a.example';
    const region = name.includes('/regions/') ? name.split('/')[3] : random.pick(REGIONS);
    return makeItem({ name, revision, service, region, reason: random.pick(['r1', 'r2']) } as unknown as Value);
  }
  const base = { name, revision, labels: randomLabels(random), imports: [], uses: [], members: [], versions: [] };
  return makeItem({
    ...base,
    project: 'p',
    creator: 'projects/p/service-accounts/s',
    primaryRegion: 'us-east',
    currentVersion: 'v1',
    apiId: name,
  } as unknown as Value);
}

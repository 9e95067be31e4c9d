import type { Kind } from './resources.ts';

/** A name taken apart. `parent` is the id of the project or service above it. */
export interface NameParts {
  readonly kind: Kind;
  readonly id: string;
  readonly parent?: string;
}

const TOP: Readonly<Record<string, Kind>> = {
  regions: 'region',
  projects: 'project',
  services: 'service',
  bundles: 'bundle',
  instances: 'instance',
  advisories: 'advisory',
};

const BELOW: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  projects: { 'service-accounts': 'serviceAccount' },
  services: { versions: 'version', resources: 'resourceType', deployments: 'deployment' },
};

const PATHS: Readonly<Record<Exclude<Kind, 'override'>, readonly [top: string, below?: string]>> = {
  region: ['regions'],
  project: ['projects'],
  serviceAccount: ['projects', 'service-accounts'],
  service: ['services'],
  version: ['services', 'versions'],
  resourceType: ['services', 'resources'],
  deployment: ['services', 'deployments'],
  bundle: ['bundles'],
  instance: ['instances'],
  advisory: ['advisories'],
};

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';

/** What an id of each kind looks like. Regions, projects, accounts and bundles take 2 to 63 characters; services are DNS names. */
export const ID_PATTERNS: Readonly<Record<Kind, string>> = {
  region: '^[a-z][a-z0-9-]{0,61}[a-z0-9]$',
  project: '^[a-z][a-z0-9-]{0,61}[a-z0-9]$',
  serviceAccount: '^[a-z][a-z0-9-]{0,61}[a-z0-9]$',
  service: `^(?=.{2,253}$)${LABEL}(?:\\.${LABEL})*$`,
  version: '^v[0-9]{1,9}(?:(?:alpha|beta)[0-9]{1,9}|(?:\\.[0-9]{1,9}){1,7})?$',
  resourceType: '^[a-zA-Z]{1,128}$',
  deployment: '^[a-z][a-z0-9-]{0,61}[a-z0-9]$',
  bundle: '^[a-z][a-z0-9-]{0,61}[a-z0-9]$',
  instance: '^[0-9a-f]{24}$',
  // An instance, or a region; `-` stands for the instances that name no region.
  override: '^(?:[0-9a-f]{24}|[a-z][a-z0-9-]{0,61}[a-z0-9]|-)$',
  advisory: '^[a-z0-9-]{1,64}(?:\\.[a-z0-9.-]{1,320})?$',
};

const ID_REGEXPS = Object.fromEntries(Object.entries(ID_PATTERNS).map(([kind, p]) => [kind, new RegExp(p)])) as Record<
  Kind,
  RegExp
>;

/** The region that instances without one are grouped under. */
export const NO_REGION = '-';

/** `undefined` when the name is not a resource's: an unknown path, or an id that breaks its pattern. */
export function parseName(name: string): NameParts | undefined {
  const parts = name.split('/');
  const top = own(TOP, parts[0] ?? '');
  const first = parts[1];
  if (top === undefined || first === undefined || !ID_REGEXPS[top].test(first)) return undefined;
  if (parts.length === 2) return { kind: top, id: first };
  if (parts.at(-1) === 'override') return parseOverride(parts);
  const kind = own(own(BELOW, parts[0] ?? '') ?? {}, parts[2] ?? '');
  const id = parts[3];
  if (parts.length !== 4 || kind === undefined || id === undefined || !ID_REGEXPS[kind].test(id)) return undefined;
  return { kind, id, parent: first };
}

/** `instances/{id}/override`, or `services/{service}/regions/{region}/override` with the service as its parent. */
function parseOverride(parts: readonly string[]): NameParts | undefined {
  const [top, first = '', below, region = ''] = parts;
  if (top === 'instances') return parts.length === 3 ? { kind: 'override', id: first } : undefined;
  const fits = top === 'services' && parts.length === 5 && below === 'regions';
  if (!fits || !(region === NO_REGION || ID_REGEXPS.region.test(region))) return undefined;
  return { kind: 'override', id: region, parent: first };
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** The name of a stored item, whose form is known to be right. */
export function partsOf(name: string): NameParts {
  const parts = parseName(name);
  if (parts === undefined) throw new Error(`not a resource name: ${name}`);
  return parts;
}

export function nameOf(kind: Kind, id: string, parent?: string): string {
  if (kind === 'override') return parent === undefined ? instanceOverrideName(id) : regionOverrideName(parent, id);
  const [top, below] = PATHS[kind];
  return below === undefined ? `${top}/${id}` : `${top}/${parent ?? ''}/${below}/${id}`;
}

export const regionName = (region: string): string => `regions/${region}`;
export const projectName = (project: string): string => `projects/${project}`;
export const serviceName = (service: string): string => `services/${service}`;
export const versionName = (service: string, version: string): string => `services/${service}/versions/${version}`;
export const deploymentName = (service: string, region: string): string => `services/${service}/deployments/${region}`;
export const instanceName = (id: string): string => `instances/${id}`;
export const instanceOverrideName = (id: string): string => `instances/${id}/override`;
export const regionOverrideName = (service: string, region: string): string =>
  `services/${service}/regions/${region}/override`;
export const advisoryName = (id: string): string => `advisories/${id}`;

import { importProblem, serves, type ImportProblem } from './coverage.ts';
import { children } from './indexes.ts';
import { regionOf } from './instances/build.ts';
import type { Item } from './item.ts';
import { allOf, deploymentOf, isRetired, serviceOf, versionsOf } from './lookup.ts';
import { NO_REGION } from './names.ts';
import { compareVersions } from './versions.ts';
import type { Reader } from './view.ts';

/** One import of one own version, in one region. */
export interface CoveredImport {
  /** The importing service's own version. */
  readonly version: string;
  readonly service: string;
  readonly importedVersion: string;
  readonly covered: boolean;
  /** Why not. */
  readonly reason?: ImportProblem;
}

/** Instances of a service in a region. */
export interface InstanceCount {
  readonly total: number;
  readonly passing: number;
}

export interface Liveness {
  readonly instances: InstanceCount;
  /** Whether any of them is passing. */
  readonly live: boolean;
}

export type CoverageCell = Liveness & (DeployedCell | UndeployedCell);

export interface DeployedCell {
  readonly deployed: true;
  readonly disabled: boolean;
  readonly currentVersion: string;
  /** Whether every import of every version served here is covered. */
  readonly covered: boolean;
  readonly imports: readonly CoveredImport[];
}

export interface UndeployedCell {
  readonly deployed: false;
  /** The newest version that is not retired: the one that would be deployed. */
  readonly newestVersion?: string;
  /** Whether everything that it and the older versions import is there already. */
  readonly deployable: boolean;
  /** What stands in the way; what is covered is left out. */
  readonly imports: readonly CoveredImport[];
}

export interface CoverageRow {
  readonly service: string;
  readonly primaryRegion: string;
  readonly regions: Readonly<Record<string, CoverageCell>>;
}

/** A service in a region. */
export interface Place {
  readonly service: string;
  readonly region: string;
}

/** Where a service runs although nothing says that it should. */
export interface UndeclaredPlace extends Place {
  readonly instances: InstanceCount;
  /** Whether the catalog has the service at all. */
  readonly inCatalog: boolean;
}

export interface Coverage {
  /** Services against regions, sorted. */
  readonly services: readonly CoverageRow[];
  /** Deployed and not disabled, and nobody there can be called. */
  readonly deployedWithoutLiveInstance: readonly Place[];
  /** `-` stands for instances that name no region. */
  readonly liveWithoutDeployment: readonly UndeclaredPlace[];
}

/**
 * All services and regions, unless one is named. Says which of them is unknown: neither in the catalog nor running.
 * `seen` is the part of the state that is told of; what is covered is so by all of it, named or not (SEC3).
 */
export function coverageMatrix(
  state: Reader,
  only: Partial<Place> = {},
  seen: Reader = state,
): Coverage | { readonly unknown: keyof Place } {
  const counts = countInstances(seen, only.service);
  const services = servicesIn(seen, only.service);
  if (services.length === 0 && only.service !== undefined && counts.size === 0) return { unknown: 'service' };
  const regions = regionsIn(state, only.region);
  if (regions.length === 0 && only.region !== undefined && !runsIn(counts, only.region)) return { unknown: 'region' };
  const states = { all: state, seen };
  const rows = services.map((service) => rowOf(states, service, regions, counts.get(service.id)));
  return {
    services: rows,
    deployedWithoutLiveInstance: rows.flatMap(lifeless),
    liveWithoutDeployment: undeclared(state, counts, only.region),
  };
}

function servicesIn(state: Reader, only: string | undefined): Item<'service'>[] {
  const one = only === undefined ? undefined : serviceOf(state, only);
  if (only !== undefined) return one === undefined ? [] : [one];
  return [...allOf(state, 'service')].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function regionsIn(state: Reader, only: string | undefined): string[] {
  const regions = Array.from(allOf(state, 'region'), ({ id }) => id).sort();
  return only === undefined ? regions : regions.filter((region) => region === only);
}

/** By region. */
type Counts = ReadonlyMap<string, InstanceCount>;
const NO_COUNTS: Counts = new Map();
const NO_INSTANCES: InstanceCount = { total: 0, passing: 0 };

/** By service; services without instances are not in it. One pass, since there may be many of them. */
function countInstances(state: Reader, service: string | undefined): ReadonlyMap<string, Counts> {
  const counts = new Map<string, Map<string, { total: number; passing: number }>>();
  const items = service === undefined ? allOf(state, 'instance') : state.bucket(children('instance', service));
  for (const { value } of items as Iterable<Item<'instance'>>) {
    let regions = counts.get(value.service);
    if (regions === undefined) counts.set(value.service, (regions = new Map()));
    const region = regionOf(value);
    let count = regions.get(region);
    if (count === undefined) regions.set(region, (count = { total: 0, passing: 0 }));
    count.total++;
    if (value.passing) count.passing++;
  }
  return counts;
}

/** `-` is always known: instances without a region may come at any time. */
function runsIn(counts: ReadonlyMap<string, Counts>, region: string): boolean {
  return region === NO_REGION || [...counts.values()].some((regions) => regions.has(region));
}

function lifeless({ service, regions }: CoverageRow): Place[] {
  const places: Place[] = [];
  for (const region in regions) {
    const cell = regions[region];
    if (cell?.deployed === true && !cell.disabled && !cell.live) places.push({ service, region });
  }
  return places;
}

function undeclared(state: Reader, counts: ReadonlyMap<string, Counts>, only: string | undefined): UndeclaredPlace[] {
  const places: UndeclaredPlace[] = [];
  for (const service of [...counts.keys()].sort()) {
    const inCatalog = serviceOf(state, service) !== undefined;
    for (const [region, instances] of [...(counts.get(service) ?? NO_COUNTS)].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const isMeant = instances.passing > 0 && (only === undefined || only === region);
      if (!isMeant || deploymentOf(state, service, region) !== undefined) continue;
      places.push({ service, region, instances, inCatalog });
    }
  }
  return places;
}

interface States {
  readonly all: Reader;
  readonly seen: Reader;
}

function rowOf(
  states: States,
  { id, value }: Item<'service'>,
  regions: readonly string[],
  counts: Counts = NO_COUNTS,
): CoverageRow {
  const versions = [...versionsOf(states.all, id)].sort((a, b) => compareVersions(b.id, a.id));
  const cells = regions.map((region): [string, CoverageCell] => {
    const instances = counts.get(region) ?? NO_INSTANCES;
    return [region, { ...cellOf(states, id, versions, region), instances, live: instances.passing > 0 }];
  });
  return { service: id, primaryRegion: value.primaryRegion, regions: Object.fromEntries(cells) };
}

/** `versions` are newest first. */
function cellOf(
  states: States,
  service: string,
  versions: readonly Item<'version'>[],
  region: string,
): DeployedCell | UndeployedCell {
  const deployment = deploymentOf(states.all, service, region);
  if (deployment !== undefined) {
    const { disabled, currentVersion } = deployment.value;
    const served = versions.filter((version) => serves(deployment, version));
    const imports = served.flatMap((version) => importsIn(states, version, region));
    return { deployed: true, disabled, currentVersion, covered: imports.every((one) => one.covered), imports };
  }
  const left = versions.filter((version) => !isRetired(version));
  const missing = left.flatMap((version) => importsIn(states, version, region)).filter((one) => !one.covered);
  const newestVersion = left[0]?.id;
  const deployable = newestVersion !== undefined && missing.length === 0;
  return { deployed: false, ...(newestVersion !== undefined && { newestVersion }), deployable, imports: missing };
}

/** What is imported and hidden is one entry for each version, without names, number and reason (SEC3). */
function importsIn({ all, seen }: States, { id, value }: Item<'version'>, region: string): CoveredImport[] {
  const imports: CoveredImport[] = [];
  let hidden: boolean | undefined;
  for (const { service, version } of value.imports) {
    const reason = importProblem(all, { service, version }, region);
    if (all !== seen && serviceOf(seen, service) === undefined && serviceOf(all, service) !== undefined) {
      hidden = (hidden ?? true) && reason === undefined;
      continue;
    }
    const one = { version: id, service, importedVersion: version };
    imports.push(reason === undefined ? { ...one, covered: true } : { ...one, covered: false, reason });
  }
  if (hidden !== undefined) imports.push({ version: id, service: '-', importedVersion: '-', covered: hidden });
  return imports;
}

import { importProblem, serves, type ImportProblem } from './coverage.ts';
import type { Item } from './item.ts';
import { allOf, deploymentOf, isRetired, serviceOf, versionsOf } from './lookup.ts';
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

export type CoverageCell =
  | {
      readonly deployed: true;
      readonly disabled: boolean;
      readonly currentVersion: string;
      /** Whether every import of every version served here is covered. */
      readonly covered: boolean;
      readonly imports: readonly CoveredImport[];
    }
  | {
      readonly deployed: false;
      /** The newest version that is not retired: the one that would be deployed. */
      readonly newestVersion?: string;
      /** Whether everything that it and the older versions import is there already. */
      readonly deployable: boolean;
      /** What stands in the way; what is covered is left out. */
      readonly imports: readonly CoveredImport[];
    };

export interface CoverageRow {
  readonly service: string;
  readonly primaryRegion: string;
  readonly regions: Readonly<Record<string, CoverageCell>>;
}

/** Services against regions, sorted; all services unless one is named. `undefined` when that one does not exist. */
export function coverageMatrix(state: Reader, service?: string): readonly CoverageRow[] | undefined {
  const regions = Array.from(allOf(state, 'region'), ({ id }) => id).sort();
  if (service !== undefined) {
    const one = serviceOf(state, service);
    return one === undefined ? undefined : [rowOf(state, one, regions)];
  }
  const services = [...allOf(state, 'service')].sort((a, b) => (a.id < b.id ? -1 : 1));
  return services.map((one) => rowOf(state, one, regions));
}

function rowOf(state: Reader, { id, value }: Item<'service'>, regions: readonly string[]): CoverageRow {
  const versions = [...versionsOf(state, id)].sort((a, b) => compareVersions(b.id, a.id));
  const cells = regions.map((region) => [region, cellOf(state, id, versions, region)] as const);
  return { service: id, primaryRegion: value.primaryRegion, regions: Object.fromEntries(cells) };
}

/** `versions` are newest first. */
function cellOf(state: Reader, service: string, versions: readonly Item<'version'>[], region: string): CoverageCell {
  const deployment = deploymentOf(state, service, region);
  if (deployment !== undefined) {
    const { disabled, currentVersion } = deployment.value;
    const served = versions.filter((version) => serves(deployment, version));
    const imports = served.flatMap((version) => importsIn(state, version, region));
    return { deployed: true, disabled, currentVersion, covered: imports.every((one) => one.covered), imports };
  }
  const left = versions.filter((version) => !isRetired(version));
  const missing = left.flatMap((version) => importsIn(state, version, region)).filter((one) => !one.covered);
  const newestVersion = left[0]?.id;
  const deployable = newestVersion !== undefined && missing.length === 0;
  return { deployed: false, ...(newestVersion !== undefined && { newestVersion }), deployable, imports: missing };
}

function importsIn(state: Reader, { id, value }: Item<'version'>, region: string): CoveredImport[] {
  return value.imports.map(({ service, version }) => {
    const reason = importProblem(state, { service, version }, region);
    const one = { version: id, service, importedVersion: version };
    return reason === undefined ? { ...one, covered: true } : { ...one, covered: false, reason };
  });
}

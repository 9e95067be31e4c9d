import { ID_PATTERNS, nameOf } from '../../domain/names.ts';
import { CATALOG_KINDS, KINDS, type CatalogKind, type Kind, type RuntimeKind } from '../../domain/resources.ts';
import { badParameter } from '../../protocol/problem.ts';
import { PATTERN_IN_WORDS } from '../../protocol/text.ts';

/** Where the resources of a kind live, derived from their names. */
export interface Collection {
  readonly kind: Kind;
  /** `deployment`, `service account`. */
  readonly noun: string;
  readonly plural: string;
  /** `ListDeployments` and the like are made of these. */
  readonly operation: { readonly one: string; readonly many: string };
  /** Route patterns under `/v1`. */
  readonly itemPath: string;
  readonly listPath: string;
  readonly idParam: string;
  readonly parent?: { readonly kind: 'project' | 'service'; readonly param: string };
}

export type PathParams = Readonly<Record<string, string>>;

const WORDS: Readonly<Record<CatalogKind, readonly [one: string, many: string, parent?: 'project' | 'service']>> = {
  region: ['region', 'regions'],
  project: ['project', 'projects'],
  serviceAccount: ['service account', 'service accounts', 'project'],
  service: ['service', 'services'],
  version: ['version', 'versions', 'service'],
  resourceType: ['resource type', 'resource types', 'service'],
  deployment: ['deployment', 'deployments', 'service'],
  bundle: ['bundle', 'bundles'],
};

/** Ids of deployments are regions, and their parameter says so. */
const idParamOf = (kind: CatalogKind): string => (kind === 'deployment' ? 'region' : kind);

export const COLLECTIONS: readonly Collection[] = CATALOG_KINDS.map((kind) => {
  const [noun, plural, parent] = WORDS[kind];
  const idParam = idParamOf(kind);
  const itemPath = `/v1/${nameOf(kind, `:${idParam}`, parent === undefined ? undefined : `:${parent}`)}`;
  return {
    kind,
    noun,
    plural,
    operation: { one: camel(noun), many: camel(plural) },
    itemPath,
    listPath: itemPath.slice(0, itemPath.lastIndexOf('/')),
    idParam,
    ...(parent !== undefined && { parent: { kind: parent, param: parent } }),
  };
});

function camel(words: string): string {
  return words
    .split(' ')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** What runs is found in these; it has verbs of its own, beside reading. */
export const INSTANCES = runtime('instance', 'instance', 'instances');
export const ADVISORIES = runtime('advisory', 'advisory', 'advisories');
export const OVERRIDES = runtime('override', 'override', 'overrides');

function runtime(kind: RuntimeKind, noun: string, plural: string): Collection {
  const listPath = `/v1/${plural}`;
  const operation = { one: camel(noun), many: camel(plural) };
  return { kind, noun, plural, operation, itemPath: `${listPath}/:${kind}`, listPath, idParam: kind };
}

/** The two places of an override: beside an instance, and beside the instances of a service in a region (INS5). */
export const INSTANCE_OVERRIDE: Collection = {
  ...OVERRIDES,
  operation: { one: 'InstanceOverride', many: 'Overrides' },
  itemPath: '/v1/instances/:instance/override',
  idParam: 'instance',
};
export const REGION_OVERRIDE: Collection = {
  ...OVERRIDES,
  operation: { one: 'RegionOverride', many: 'Overrides' },
  itemPath: '/v1/services/:service/regions/:region/override',
  idParam: 'region',
  parent: { kind: 'service', param: 'service' },
};

/** The name of the resource that a path means. What is no name stays one that nothing has. */
export function nameIn({ kind, idParam, parent }: Collection, params: PathParams): string {
  return nameOf(kind, params[idParam] ?? '', parent === undefined ? undefined : params[parent.param]);
}

const ID_REGEXPS = Object.fromEntries(KINDS.map((kind) => [kind, new RegExp(ID_PATTERNS[kind])])) as Record<
  Kind,
  RegExp
>;

/** Throws a `Problem` when a part of the path cannot be an id, so that a write says which one and why. */
export function checkIds({ kind, idParam, parent }: Collection, params: PathParams): void {
  if (parent !== undefined) checkId(parent.kind, parent.param, params);
  checkId(kind, idParam, params);
}

/** Throws a `Problem` when a part of the path cannot be the id of such a resource. */
export function checkId(kind: Kind, param: string, params: PathParams): void {
  const id = params[param] ?? '';
  if (ID_REGEXPS[kind].test(id)) return;
  throw badParameter(param, `${JSON.stringify(id.slice(0, 80))} ${PATTERN_IN_WORDS.get(ID_PATTERNS[kind]) ?? ''}`);
}

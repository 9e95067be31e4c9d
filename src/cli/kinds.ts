import { ID_PATTERNS, nameOf, parseName } from '../domain/names.ts';
import type { Kind } from '../domain/resources.ts';
import { usageError } from './errors.ts';
import { printable } from './style.ts';

interface KindNames {
  readonly one: string;
  readonly many: string;
  readonly short: readonly string[];
}

/** What a person may call each kind. The singular and plural are those of the paths. */
export const KIND_NAMES: Readonly<Record<Kind, KindNames>> = {
  region: { one: 'region', many: 'regions', short: ['r'] },
  project: { one: 'project', many: 'projects', short: ['p'] },
  serviceAccount: { one: 'service-account', many: 'service-accounts', short: ['sa', 'account', 'accounts'] },
  service: { one: 'service', many: 'services', short: ['s', 'svc'] },
  version: { one: 'version', many: 'versions', short: ['v'] },
  resourceType: {
    one: 'resource',
    many: 'resources',
    short: ['rt', 'type', 'types', 'resource-type', 'resource-types'],
  },
  deployment: { one: 'deployment', many: 'deployments', short: ['d', 'deploy'] },
  bundle: { one: 'bundle', many: 'bundles', short: ['b'] },
  instance: { one: 'instance', many: 'instances', short: ['i', 'inst'] },
  override: { one: 'override', many: 'overrides', short: ['o'] },
  advisory: { one: 'advisory', many: 'advisories', short: ['a'] },
};

const KINDS_BY_NAME: ReadonlyMap<string, Kind> = new Map(
  Object.entries(KIND_NAMES).flatMap(([kind, { one, many, short }]) =>
    [one, many, ...short, kind.toLowerCase(), `${kind.toLowerCase()}s`].map((name) => [name, kind as Kind] as const),
  ),
);

/** The kind that a person means by `services`, `svc` or `serviceAccount`; a usage error names the known ones. */
export function kindOf(text: string): Kind {
  const kind = KINDS_BY_NAME.get(text.toLowerCase());
  if (kind !== undefined) return kind;
  const known = Object.values(KIND_NAMES).map(({ many, short }) => `${many} (${short[0]})`);
  throw usageError(`"${printable(text)}" is not a kind of resource; there are ${known.join(', ')}.`);
}

/** Which kind of resource each kind stands below. */
export const PARENT_OF: Partial<Record<Kind, 'service' | 'project'>> = {
  serviceAccount: 'project',
  version: 'service',
  resourceType: 'service',
  deployment: 'service',
};

/** The full name of one resource, from a full name or from an id and the id of what it stands below. */
export function resourceName(kind: Kind, text: string, parent: string | undefined): string {
  if (text.includes('/')) {
    const parts = parseName(text);
    if (parts?.kind === kind) return text;
    throw usageError(
      `"${printable(text)}" is not the name of a ${KIND_NAMES[kind].one}; one looks like ${exampleName(kind)}.`,
    );
  }
  const above = PARENT_OF[kind];
  if (above !== undefined && parent === undefined) {
    throw usageError(
      `A ${KIND_NAMES[kind].one} stands below a ${above}: add --${above}, or give the full name, such as ${exampleName(kind)}.`,
    );
  }
  if (!new RegExp(ID_PATTERNS[kind]).test(text)) {
    throw usageError(
      `"${printable(text)}" is not the id of a ${KIND_NAMES[kind].one}; one looks like ${EXAMPLES[kind]}.`,
    );
  }
  return nameOf(kind, text, parent);
}

const EXAMPLES: Readonly<Record<Kind, string>> = {
  region: 'us-east',
  project: 'core',
  serviceAccount: 'deployer',
  service: 'iam.example.com',
  version: 'v1',
  resourceType: 'Device',
  deployment: 'us-east',
  bundle: 'core',
  instance: '3f1c0e9ab2d44c5e8f7a6b21',
  override: '3f1c0e9ab2d44c5e8f7a6b21',
  advisory: 'eviction-guard.orders.example.com.eu',
};

const exampleName = (kind: Kind): string => {
  const above = PARENT_OF[kind];
  return nameOf(kind, EXAMPLES[kind], above === undefined ? undefined : EXAMPLES[above]);
};

import type { FieldError } from './errors.ts';
import type { AnyItem } from './item.ts';
import type { NameParts } from './names.ts';
import type {
  ApiDocument,
  Assigned,
  BundleRules,
  Import,
  CatalogKind,
  Kind,
  Labels,
  Lifecycle,
  Location,
  Service,
  Value,
  ValueOf,
} from './resources.ts';
import { compareVersions } from './versions.ts';

/** A value without what every resource is assigned: its content, by which two states of it are compared (REV3). */
export type Body<K extends CatalogKind = CatalogKind> = Omit<ValueOf[K], keyof Assigned>;

/** What the server decides about a service; the rest of its body is its owner's. */
export type Identity = Pick<Service, 'apiId' | 'project' | 'creator' | 'effectiveUses'>;

/** What is decided elsewhere than in a resource's document: about a service its identity, about a version its API document. */
export interface Decided {
  readonly identity?: Identity | undefined;
  readonly document?: ApiDocument | undefined;
}

type Raw = Readonly<Record<string, unknown>>;

/**
 * The canonical body of a document that its kind's schema has accepted: every default filled in, sets sorted, fields in
 * one order, so that equal content has equal JSON. What is unknown or assigned is left out, and taken from `decided`.
 */
export function bodyOf(kind: CatalogKind, raw: Raw, { identity, document }: Decided = {}): Body {
  switch (kind) {
    case 'region':
      return { title: raw.title, ...locationOf(raw), labels: labelsOf(raw) } as Body;
    case 'project':
      return { title: raw.title, labels: labelsOf(raw) } as Body;
    case 'serviceAccount':
      return { ...given(raw, ACCOUNT_FIELDS), labels: labelsOf(raw) };
    case 'service': {
      const { apiId, project, creator, effectiveUses } = identity as Identity;
      const { displayName, globalEndpoint, primaryRegion } = raw;
      const uses = setOf(raw.uses);
      const own = { displayName, apiId, project, creator, globalEndpoint, primaryRegion, public: raw.public === true };
      return {
        ...own,
        ...filled(raw, 'importers'),
        ...filled(raw, 'owners'),
        uses,
        effectiveUses,
        labels: labelsOf(raw),
      } as Body;
    }
    case 'version':
      return {
        imports: importsOf(raw.imports),
        lifecycle: lifecycleOf(raw.lifecycle),
        ...(document !== undefined && { document }),
        labels: labelsOf(raw),
      } as Body;
    case 'resourceType':
      return { plural: raw.plural, versions: typeVersionsOf(raw.versions), labels: labelsOf(raw) } as Body;
    case 'deployment':
      return deploymentOf(raw) as Body;
    case 'bundle':
      return {
        ...given(raw, TITLE),
        members: setOf(raw.members),
        rules: rulesOf(raw.rules),
        labels: labelsOf(raw),
      } as Body;
  }
}

/** What no schema says: entries of one document that contradict each other. */
export function contradictions(kind: Kind, raw: Raw): FieldError[] {
  if (kind === 'version') return twice('imports', raw.imports, 'service', 'version');
  if (kind === 'resourceType') return twice('versions', raw.versions, 'version', 'regional');
  return [];
}

/** A resource of this body. The encoding is put together from the body's, which the caller has made already. */
export function itemOf(parts: NameParts, assigned: Assigned, body: object, bodyJson: string): AnyItem {
  const { name, revision, createTime, updateTime } = assigned;
  const value = { name, revision, createTime, updateTime, ...body } as Value;
  const json = jsonOf(assigned, bodyJson);
  return { kind: parts.kind, name, id: parts.id, parent: parts.parent ?? parts.id, revision, value, json } as AnyItem;
}

/** Whether an item already has this content. */
export const hasBody = (item: AnyItem, bodyJson: string): boolean => item.json === jsonOf(item.value, bodyJson);

/** `JSON.stringify` of the value: nothing in what is assigned needs escaping, and no body is empty. */
function jsonOf({ name, revision, createTime, updateTime }: Assigned, bodyJson: string): string {
  return `{"name":"${name}","revision":${revision},"createTime":"${createTime}","updateTime":"${updateTime}",${bodyJson.slice(1)}`;
}

const TITLE = ['title'] as const;
const ACCOUNT_FIELDS = ['title', 'subject', 'clientId'] as const;
const LOCATION_FIELDS = ['continent', 'country', 'agglomeration', 'city', 'cloud'] as const;
const RULES = [
  'deployedTogether',
  'everyRegion',
  'onePrimaryRegion',
  'oneDomain',
  'upgradedTogether',
  'public',
  'usedByEveryone',
] as const satisfies readonly (keyof BundleRules)[];

/** The fields that are there, in the order of the list. */
function given(raw: Raw, fields: readonly string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of fields) if (raw[field] !== undefined) found[field] = raw[field];
  return found;
}

function deploymentOf(raw: Raw): Record<string, unknown> {
  const body: Record<string, unknown> = { regionalEndpoint: raw.regionalEndpoint };
  if (raw.privateEndpoint !== undefined) body.privateEndpoint = raw.privateEndpoint;
  if (raw.localNetworkId !== undefined) body.localNetworkId = raw.localNetworkId;
  body.currentVersion = raw.currentVersion;
  body.disabled = raw.disabled === true;
  if (raw.location !== undefined) Object.assign(body, locationOf(raw));
  body.labels = labelsOf(raw);
  return body;
}

const NO_LABELS: Labels = Object.freeze({});

/** Entries, not assignments: a label may be called `__proto__`. */
function labelsOf(raw: Raw): Labels {
  const labels = raw.labels as Labels | undefined;
  if (labels === undefined) return NO_LABELS;
  const keys = Object.keys(labels);
  if (keys.length === 0) return NO_LABELS;
  return Object.fromEntries(keys.sort().map((key) => [key, labels[key] as string]));
}

/** An empty location says as much as none. */
function locationOf(raw: Raw): { location?: Location } {
  if (raw.location === undefined) return {};
  const location = given(raw.location as Raw, LOCATION_FIELDS);
  return Object.keys(location).length === 0 ? {} : { location };
}

function setOf(raw: unknown): string[] {
  return raw === undefined ? [] : [...new Set(raw as string[])].sort();
}

/** A set that says as much empty as not at all. */
function filled(raw: Raw, field: string): Record<string, readonly string[]> {
  const set = setOf(raw[field]);
  return set.length === 0 ? {} : { [field]: set };
}

function importsOf(raw: unknown): Import[] {
  const imports = new Map(
    (raw as Import[] | undefined)?.map(({ service, version }) => [service, { service, version }]),
  );
  return [...imports.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
}

function lifecycleOf(raw: unknown): Lifecycle {
  const lifecycle = raw as Lifecycle | undefined;
  if (lifecycle?.state === 'deprecated') return { state: 'deprecated', sunset: lifecycle.sunset };
  return { state: lifecycle?.state ?? 'active' };
}

function typeVersionsOf(raw: unknown): { version: string; regional: boolean }[] {
  const versions = new Map(
    (raw as { version: string; regional?: boolean }[] | undefined)?.map((v) => [
      v.version,
      { version: v.version, regional: v.regional === true },
    ]),
  );
  return [...versions.values()].sort((a, b) => compareVersions(b.version, a.version));
}

function rulesOf(raw: unknown): Record<string, boolean> {
  const rules = raw as Partial<BundleRules> | undefined;
  return Object.fromEntries(RULES.map((rule) => [rule, rules?.[rule] === true]));
}

function twice(field: string, raw: unknown, key: string, says: string): FieldError[] {
  const seen = new Map<unknown, unknown>();
  const errors: FieldError[] = [];
  for (const [i, entry] of ((raw as Raw[] | undefined) ?? []).entries()) {
    const other = seen.get(entry[key]);
    const mine = entry[says] ?? false;
    if (other !== undefined && other !== mine) {
      errors.push({
        pointer: `/${field}/${i}`,
        detail: `${String(entry[key])} is listed twice, and not with the same ${says}`,
      });
    }
    seen.set(entry[key], mine);
  }
  return errors;
}

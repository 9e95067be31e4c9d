import type { Advisory, Instance, Override } from './instances/instance.ts';

/**
 * The nouns: their kinds, their names and the shape of their values. The catalog says what should be and is written by
 * people and pipelines; what runs (instances, and what operators and Signalbox itself say about them) is written by
 * services and by health checks, and has verbs of its own.
 *
 * A resource is identified by its `name`, which is its path under `/v1` (`services/iam.edgelq.com/deployments/us-east`).
 * Its parents, and for a deployment its region (CAT1), are read off the name and are stored nowhere else.
 */

export const CATALOG_KINDS = [
  'region',
  'project',
  'serviceAccount',
  'service',
  'version',
  'resourceType',
  'deployment',
  'bundle',
] as const;

export type CatalogKind = (typeof CATALOG_KINDS)[number];

export const RUNTIME_KINDS = ['instance', 'override', 'advisory'] as const;

export type RuntimeKind = (typeof RUNTIME_KINDS)[number];

export const KINDS = [...CATALOG_KINDS, ...RUNTIME_KINDS] as const;

/** What kinds of resources there are. */
export type Kind = CatalogKind | RuntimeKind;

export const isCatalogKind = (kind: Kind): kind is CatalogKind =>
  kind !== 'instance' && kind !== 'override' && kind !== 'advisory';

/** Keys and values of the owner's own. */
export type Labels = Readonly<Record<string, string>>;

/** What the server assigns to every resource. */
export interface Assigned {
  readonly name: string;
  /** The revision of the resource's last change. */
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createTime: string;
  readonly updateTime: string;
}

/** Routing hints; every part is free text. */
export interface Location {
  readonly continent?: string;
  readonly country?: string;
  readonly agglomeration?: string;
  readonly city?: string;
  readonly cloud?: string;
}

export interface Region extends Assigned {
  readonly title: string;
  readonly location?: Location;
  readonly labels: Labels;
}

export interface Project extends Assigned {
  readonly title: string;
  readonly labels: Labels;
}

export interface ServiceAccount extends Assigned {
  readonly title?: string;
  /** The OAuth `sub` that this account is. */
  readonly subject?: string;
  /** The OAuth client id that this account is. */
  readonly clientId?: string;
  readonly labels: Labels;
}

export interface Service extends Assigned {
  readonly displayName: string;
  /** Assigned at creation, unique, never changed; the `{apiId}.admin` scope is made of it. */
  readonly apiId: string;
  /** A project id: the project of `creator` (CAT2). */
  readonly project: string;
  /** The name of the service account that created the service (CAT2). */
  readonly creator: string;
  readonly globalEndpoint: string;
  /** A region id (CAT3). */
  readonly primaryRegion: string;
  /** Whether everyone may see, use and import it; otherwise it is private (SEC3). */
  readonly public: boolean;
  /** Project ids, sorted: their services may use and import it although it is private, and their accounts see it (CAT4). */
  readonly importers?: readonly string[];
  /** Groups of the identity provider whose members are its API owners; sorted. */
  readonly owners?: readonly string[];
  /** Service ids that the service may call as a client, as its owner declares them; sorted. */
  readonly uses: readonly string[];
  /** Assigned: `uses` and the members of every bundle that everyone uses (COV4); sorted. */
  readonly effectiveUses: readonly string[];
  readonly labels: Labels;
}

export interface Import {
  readonly service: string;
  readonly version: string;
}

export type Lifecycle =
  | { readonly state: 'active' }
  | { readonly state: 'deprecated'; readonly sunset: string }
  | { readonly state: 'retired' };

/** What there is to know of an API document without reading it: its text is kept beside the catalog, under its SHA-256. */
export interface ApiDocument {
  /** Of the text, in hex. */
  readonly sha256: string;
  readonly bytes: number;
  readonly format: 'json' | 'yaml';
  /** The version of OpenAPI that it is written in; `2.0` for Swagger. */
  readonly openapi: string;
  /** As its `info` says. */
  readonly title: string;
  readonly apiVersion: string;
}

export interface Version extends Assigned {
  /** Sorted by service, at most one entry a service. */
  readonly imports: readonly Import[];
  readonly lifecycle: Lifecycle;
  /** Assigned: published by a request of its own. */
  readonly document?: ApiDocument;
  readonly labels: Labels;
}

export interface ResourceType extends Assigned {
  readonly plural: string;
  /** Newest first. */
  readonly versions: readonly { readonly version: string; readonly regional: boolean }[];
  readonly labels: Labels;
}

export interface Deployment extends Assigned {
  readonly regionalEndpoint: string;
  readonly privateEndpoint?: string;
  readonly localNetworkId?: string;
  /** The newest API version that is served here; the older ones that the service still lists are served too. */
  readonly currentVersion: string;
  /** No new routing to it; the first step before it is deleted. */
  readonly disabled: boolean;
  readonly location?: Location;
  readonly labels: Labels;
}

/** Which of COV4's rules hold for the members of a bundle. */
export interface BundleRules {
  /** Wherever one member is deployed, all are. */
  readonly deployedTogether: boolean;
  /** Every member is deployed in every region of the catalog. */
  readonly everyRegion: boolean;
  readonly onePrimaryRegion: boolean;
  /** Global endpoints are equal after their first label. */
  readonly oneDomain: boolean;
  /** In one region all members run the same current version, so an upgrade is one revision. */
  readonly upgradedTogether: boolean;
  readonly public: boolean;
  /** The members are added to the effective uses of every service outside the bundle. */
  readonly usedByEveryone: boolean;
}

export interface Bundle extends Assigned {
  readonly title?: string;
  /** Service ids, sorted. */
  readonly members: readonly string[];
  readonly rules: BundleRules;
  readonly labels: Labels;
}

export interface ValueOf {
  region: Region;
  project: Project;
  serviceAccount: ServiceAccount;
  service: Service;
  version: Version;
  resourceType: ResourceType;
  deployment: Deployment;
  bundle: Bundle;
  instance: Instance;
  override: Override;
  advisory: Advisory;
}

export type Value = ValueOf[Kind];

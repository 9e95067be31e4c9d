import { Type, type TObject, type TSchema } from 'typebox';
import type { Kind, Lifecycle, ValueOf } from '../domain/resources.ts';
import { ApiDocumentSchema } from './api-document.ts';
import { assigned } from './assigned.ts';
import { CheckSchema, registrationFields } from './registration.ts';
import { API_ID, closed, endpoint, id, labels, PLAIN, PLURAL, text } from './text.ts';

const optional = Type.Optional;

const place = (description: string, example: string) => optional(text(64, { description, examples: [example] }));
const location = optional(
  closed(
    {
      continent: place('Continent', 'Europe'),
      country: place('Country', 'Germany'),
      agglomeration: place('Agglomeration', 'Rhine-Main'),
      city: place('City', 'Frankfurt'),
      cloud: place('Cloud provider', 'aws'),
    },
    { description: 'Hints for routing; every part is free text.' },
  ),
);

const title = (what: string, example: string) =>
  text(128, { description: `What people call the ${what}.`, examples: [example] });
const flag = (description: string) => optional(Type.Boolean({ description, default: false }));

const SERVICE = { description: 'A service id.', examples: ['iam.example.com'] };
const VERSION = { description: 'A version id.', examples: ['v1'] };
const serviceIds = (description: string, options: object = {}) =>
  Type.Array(id('service', SERVICE), { maxItems: 512, description, ...options });

const importSchema = closed(
  { service: id('service', SERVICE), version: id('version', VERSION) },
  { description: 'A version of another service whose resources may be referenced.' },
);

const lifecycle = Type.Unsafe<Lifecycle>({
  type: 'object',
  description: 'Where the version is in its life.',
  default: { state: 'active' },
  discriminator: { propertyName: 'state' },
  required: ['state'],
  oneOf: [
    closed({ state: Type.Literal('active') }, { title: 'Active', description: 'In use.' }),
    closed(
      {
        state: Type.Literal('deprecated'),
        sunset: Type.String({ format: 'date', description: 'The day it goes away.', examples: ['2027-06-30'] }),
      },
      { title: 'Deprecated', description: 'Still served, until the sunset.' },
    ),
    closed({ state: Type.Literal('retired') }, { title: 'Retired', description: 'No longer to be used.' }),
  ],
});

const resourceVersion = closed(
  {
    version: id('version', VERSION),
    regional: flag('Whether the resources live in regions; otherwise they are global.'),
  },
  { description: 'A version of the service that has the type.' },
);

const rules = closed(
  {
    deployedTogether: flag('Wherever one member is deployed, all are.'),
    everyRegion: flag('Every member is deployed in every region of the catalog.'),
    onePrimaryRegion: flag('All members have the same primary region.'),
    oneDomain: flag('Global endpoints are equal after their first label.'),
    upgradedTogether: flag('In one region all members run the same current version.'),
    public: flag('All members are public.'),
    usedByEveryone: flag('The members are added to the effective uses of every service outside the bundle.'),
  },
  { description: 'Which rules hold for the members (COV4); a rule left out does not.', default: {} },
);

type Properties<K extends Kind> = Record<keyof ValueOf[K] | 'warnings', TSchema>;

/**
 * What a request may say about a resource of each kind of the catalog, and what an answer says about one of a runtime
 * kind. Members with a `default` may be left out. AJV checks with these, the OpenAPI document shows them, and the filter
 * language takes its fields from them.
 */
export const RESOURCES: Readonly<Record<Kind, TObject>> = {
  region: closed(
    {
      ...assigned,
      title: title('region', 'Europe (Frankfurt)'),
      location,
      labels: optional(labels()),
    } satisfies Properties<'region'>,
    { title: 'Region', description: 'A place where services can be deployed, whether or not any is (CAT1).' },
  ),
  project: closed(
    { ...assigned, title: title('project', 'Identity'), labels: optional(labels()) } satisfies Properties<'project'>,
    { title: 'Project', description: 'Owns services and service accounts.' },
  ),
  serviceAccount: closed(
    {
      ...assigned,
      title: optional(title('account', 'Deployer of the identity services')),
      subject: optional(text(255, { description: 'The OAuth `sub` that this account is.', examples: ['2f6c1e'] })),
      clientId: optional(
        text(255, { description: 'The OAuth client id that this account is.', examples: ['iam-deployer'] }),
      ),
      labels: optional(labels()),
    } satisfies Properties<'serviceAccount'>,
    { title: 'ServiceAccount', description: 'Who creates and runs services in the name of a project (CAT2).' },
  ),
  service: closed(
    {
      ...assigned,
      displayName: text(128, { description: 'What people call the service.', examples: ['iam'] }),
      apiId: optional(
        Type.String({
          pattern: API_ID,
          description: 'Unique and never changed; assigned at creation unless a restored catalog names it.',
          examples: ['iam-7k2m'],
        }),
      ),
      project: optional(
        id('project', { description: "A project id; by default the creator's (CAT2).", examples: ['core'] }),
      ),
      creator: optional(
        Type.String({
          maxLength: 200,
          pattern: PLAIN,
          description: 'The name of the service account that created the service; by default the caller (CAT2).',
          examples: ['projects/core/service-accounts/deployer'],
        }),
      ),
      globalEndpoint: endpoint({
        description: 'Where the service is reached from anywhere.',
        examples: ['iam.example.com:443'],
      }),
      primaryRegion: id('region', {
        description: 'A region id; one where the service is deployed, once it is anywhere (CAT3).',
        examples: ['eu-central'],
      }),
      public: flag(
        'Whether everyone may see, use and import the service. A private one is seen by the service accounts of its project and of `importers`, and by its API owners; for all others it is not there (SEC3).',
      ),
      importers: optional(
        Type.Array(id('project', { description: 'A project id.', examples: ['shop'] }), {
          maxItems: 512,
          description:
            'Projects whose services may use and import this one although it is private, and whose service accounts see it (CAT4).',
        }),
      ),
      owners: optional(
        Type.Array(text(255, { description: 'A group, as tokens name it.', examples: ['team-iam'] }), {
          maxItems: 64,
          description: 'Groups of the identity provider whose members are API owners of the service.',
        }),
      ),
      uses: optional(serviceIds('Services that this one may call as a client.', { default: [] })),
      effectiveUses: optional(
        serviceIds('`uses` and the members of the bundles that everyone uses (COV4).', {
          readOnly: true,
          maxItems: 4096,
        }),
      ),
      labels: optional(labels()),
    } satisfies Properties<'service'>,
    { title: 'Service', description: 'A service, named by a domain-like id.' },
  ),
  version: closed(
    {
      ...assigned,
      imports: optional(
        Type.Array(importSchema, {
          maxItems: 512,
          default: [],
          description: 'At most one version of each other service (COV1, COV3).',
        }),
      ),
      lifecycle: optional(lifecycle),
      document: optional(ApiDocumentSchema),
      labels: optional(labels()),
    } satisfies Properties<'version'>,
    { title: 'Version', description: 'A version of the API of a service. Order: v1alpha1 < v1beta1 < v1 < v1.1 < v2.' },
  ),
  resourceType: closed(
    {
      ...assigned,
      plural: Type.String({
        pattern: PLURAL,
        maxLength: 133,
        description: 'The name of several.',
        examples: ['Devices'],
      }),
      versions: Type.Array(resourceVersion, {
        minItems: 1,
        maxItems: 64,
        description: 'The versions that have the type; answered newest first.',
      }),
      labels: optional(labels()),
    } satisfies Properties<'resourceType'>,
    { title: 'ResourceType', description: 'A type of resource that a service manages.' },
  ),
  deployment: {
    ...closed(
      {
        ...assigned,
        regionalEndpoint: endpoint({
          description: 'Where the service is reached in this region; by convention `{region}.{domain}`.',
          examples: ['eu-central.iam.example.com'],
        }),
        privateEndpoint: optional(
          endpoint({ description: 'Where it is reached from inside its local network.', examples: ['10.0.4.17:8443'] }),
        ),
        localNetworkId: optional(
          text(64, {
            description: 'Deployments in one region with equal ids use the private endpoints.',
            examples: ['vpc-1'],
          }),
        ),
        currentVersion: id('version', {
          description: 'The newest version served here; the older ones that the service still lists are served too.',
          examples: ['v1'],
        }),
        disabled: flag('Takes no new routing; the first step before a deployment is deleted.'),
        location,
        labels: optional(labels()),
      } satisfies Properties<'deployment'>,
      { title: 'Deployment', description: 'A service in a region; its id is the region (CAT1).' },
    ),
    dependentRequired: { privateEndpoint: ['localNetworkId'] },
  } as unknown as TObject,
  bundle: closed(
    {
      ...assigned,
      title: optional(title('bundle', 'Core services')),
      members: serviceIds('The services of the bundle; a service is in one bundle at most.', { minItems: 1 }),
      rules: optional(rules),
      labels: optional(labels()),
    } satisfies Properties<'bundle'>,
    { title: 'Bundle', description: 'Services that are deployed and upgraded as one.' },
  ),
  instance: closed(
    {
      ...assigned,
      service: registrationFields.service,
      environment: registrationFields.environment,
      protocol: registrationFields.protocol,
      address: registrationFields.address,
      port: registrationFields.port,
      version: registrationFields.version,
      region: registrationFields.region,
      weight: Type.Integer({ description: "What callers balance by: the override's, or else what it registered." }),
      registeredWeight: Type.Integer({ description: 'What it registered.' }),
      tags: labels('Its own keys and values.'),
      metadata: registrationFields.metadata,
      check: CheckSchema,
      detectionBound: Type.String({
        description: 'The longest time from its death to the moment its watchers were told (INS1).',
        examples: ['31s'],
      }),
      generation: Type.Integer({
        description: 'The revision at which it came to be; a new one after it was gone (INS6).',
      }),
      passing: Type.Boolean({ description: 'Whether it is to be called: not critical, serving, not displaced.' }),
      status: Type.Enum(['passing', 'warning', 'critical'], { description: 'What its check says.' }),
      statusSince: Type.String({ format: 'date-time', description: 'When the status was last changed.' }),
      statusReason: Type.String({ description: 'Why the status is what it is.' }),
      mode: Type.Enum(['serving', 'drain', 'maintenance'], { description: 'What operators have set (INS5).' }),
      override: optional(
        closed(
          {
            scope: Type.Enum(['instance', 'region']),
            mode: optional(Type.String()),
            weight: optional(Type.Integer()),
            reason: Type.String(),
            by: Type.String(),
          },
          { description: "The override that applies: the instance's own, or else that of its service and region." },
        ),
      ),
      displacedBy: optional(
        Type.String({
          description: 'Another instance that registered at this address and port; this one has to show itself (INS6).',
        }),
      ),
    } satisfies Properties<'instance'>,
    { title: 'Instance', description: 'A live instance of a service.' },
  ),
  override: closed(
    {
      ...assigned,
      service: id('service', SERVICE),
      instance: optional(Type.String({ description: 'The id of the instance that it is about.' })),
      region: optional(
        Type.String({
          description: 'The region whose instances of the service it is about; `-` for those without one.',
        }),
      ),
      mode: optional(Type.Enum(['serving', 'drain', 'maintenance'], { description: 'What is set, if anything.' })),
      weight: optional(Type.Integer({ description: 'What is set, if anything.' })),
      evictionGuard: optional(Type.Boolean({ description: 'false: without the eviction guard (INS4).' })),
      reason: Type.String({ description: 'Why.' }),
      by: Type.String({ description: 'Who set it.' }),
    } satisfies Properties<'override'>,
    { title: 'Override', description: 'What an operator has set; it outlives instances and restarts (INS5).' },
  ),
  advisory: closed(
    {
      ...assigned,
      code: Type.String({ description: 'Stable.', examples: ['eviction-guard'] }),
      service: id('service', SERVICE),
      region: optional(Type.String({ description: 'Where; `-` for instances without a region.' })),
      message: Type.String({ description: 'What is the matter.' }),
      until: optional(Type.String({ format: 'date-time', description: 'When it ends at the latest.' })),
    } satisfies Properties<'advisory'>,
    { title: 'Advisory', description: 'Something that people should know about now; it goes away by itself.' },
  ),
};

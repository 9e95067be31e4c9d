import { Type, type TSchema } from 'typebox';
import { DURATION } from '../domain/duration.ts';
import type { Check } from '../domain/instances/check.ts';
import { METADATA_CHARACTERS } from '../domain/instances/registration.ts';
import type { Labels } from '../domain/resources.ts';
import { assigned } from './assigned.ts';
import {
  API_ID,
  BUILD,
  CHECK_PATH,
  closed,
  GRPC_SERVICE,
  HEADER_NAME,
  HEADER_VALUE,
  id,
  labels,
  PLAIN,
  PROTOCOL_NAME,
  spread,
  STATUSES,
  text,
  type Doc,
} from './text.ts';

/** What services and operators say about instances; `domain/instances/registration.ts` makes the canonical form of it. */

const optional = Type.Optional;

const duration = (fallback: string | undefined, description: string) =>
  optional(
    Type.String({
      pattern: DURATION,
      description,
      examples: [fallback ?? '10s'],
      ...(fallback !== undefined && { default: fallback }),
    }),
  );

const flag = (fallback: boolean, description: string) => optional(Type.Boolean({ description, default: fallback }));
const count = (fallback: number, description: string) =>
  optional(Type.Integer({ minimum: 1, maximum: 100, default: fallback, description }));
const port = (doc: Doc) => Type.Integer({ minimum: 1, maximum: 65_535, ...spread(doc) });
const status = (fallback: string) =>
  optional(
    Type.Enum(['passing', 'warning', 'critical'], {
      default: fallback,
      description: 'What the instance counts as until its check has said something.',
    }),
  );

const deregisterAfter = duration('10m', 'An instance that was critical for so long is removed; 1s to 720h.');

const active = {
  interval: duration('10s', 'From the start of one check to the start of the next; 500ms to 1h.'),
  timeout: duration(
    undefined,
    'A check that takes longer has failed; 50ms to the interval. By default 2s, or the interval if that is less.',
  ),
  unhealthyAfter: count(2, 'So many failures in a row make the instance critical.'),
  healthyAfter: count(1, 'So many passes in a row make it passing again.'),
  port: optional(port({ description: "The port to check, where it is not the instance's own." })),
  initialStatus: status('critical'),
  deregisterAfter,
};

const tls = flag(false, 'Whether to speak TLS; by default whether the protocol of the instance is https or grpcs.');
const tlsVerify = flag(true, 'Whether the certificate has to be valid for the address.');

export const CheckSchema = Type.Unsafe<Check>({
  type: 'object',
  title: 'Check',
  description: 'How Signalbox knows whether the instance can be called; by default a lease of 30 s.',
  default: { type: 'ttl' },
  discriminator: { propertyName: 'type' },
  required: ['type'],
  oneOf: [
    closed(
      {
        type: Type.Literal('ttl'),
        ttl: duration('30s', 'The instance renews its lease at the latest every so often; 500ms to 24h.'),
        initialStatus: status('passing'),
        deregisterAfter,
      },
      { title: 'TtlCheck', description: 'The instance renews a lease.' },
    ),
    closed(
      {
        type: Type.Literal('http'),
        path: optional(
          Type.String({
            pattern: CHECK_PATH,
            default: '/',
            description:
              "What to ask for. `{serviceId}` in it is replaced by the service's id: then nobody else who has this address answers in its place (INS6).",
            examples: ['/health/{serviceId}'],
          }),
        ),
        method: optional(Type.Enum(['GET', 'HEAD', 'OPTIONS'], { default: 'GET', description: 'The method.' })),
        headers: optional(
          Type.Unsafe<Labels>({
            type: 'object',
            default: {},
            maxProperties: 16,
            description: 'Sent along; whoever may see the instance sees them, so they carry no credentials.',
            propertyNames: { type: 'string', pattern: HEADER_NAME },
            additionalProperties: { type: 'string', pattern: HEADER_VALUE },
          }),
        ),
        expectedStatuses: optional(
          Type.Array(Type.String({ pattern: STATUSES }), {
            minItems: 1,
            maxItems: 16,
            description:
              'Statuses that pass. By default 200-299 passes, 429 warns, and all else fails; redirects are not followed.',
            examples: [['200', '204']],
          }),
        ),
        tls,
        tlsVerify,
        ...active,
      },
      { title: 'HttpCheck', description: 'Signalbox asks the instance over HTTP.' },
    ),
    closed(
      { type: Type.Literal('tcp'), ...active },
      { title: 'TcpCheck', description: 'Signalbox connects to the instance.' },
    ),
    closed(
      {
        type: Type.Literal('grpc'),
        service: optional(
          Type.String({
            pattern: GRPC_SERVICE,
            default: '',
            description:
              "What to ask about; empty for the whole server. `{serviceId}` is replaced by the service's id.",
          }),
        ),
        tls,
        tlsVerify,
        ...active,
      },
      { title: 'GrpcCheck', description: 'Signalbox asks the instance over grpc.health.v1.' },
    ),
  ],
});

export const registrationFields = {
  service: id('service', {
    description: 'The id of the service; unless REGISTRATION=catalog, it need not be in the catalog.',
    examples: ['orders.example.com'],
  }),
  environment: optional(Type.String({ pattern: API_ID, description: 'Part of its identity.', examples: ['prod'] })),
  protocol: Type.String({
    pattern: PROTOCOL_NAME,
    description: 'What it speaks.',
    examples: ['http', 'https', 'grpc'],
  }),
  address: Type.String({
    maxLength: 253,
    format: 'host-address',
    description: 'An IP address, or a host name in lower case.',
    examples: ['10.0.4.17'],
  }),
  port: port({ description: 'Where it listens.', examples: [8080] }),
  version: optional(Type.String({ pattern: BUILD, description: 'Of the API, or of the build.', examples: ['v1'] })),
  region: optional(
    id('region', {
      description: 'Where it runs; with its service it is joined to a deployment of the catalog.',
      examples: ['eu-central'],
    }),
  ),
  weight: optional(
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 1,
      description: 'Its share of the calls, beside the others.',
    }),
  ),
  tags: optional(labels('Your own keys and values, for filters and selectors.')),
  metadata: optional(
    Type.Unsafe<Labels>({
      type: 'object',
      default: {},
      description: `What else its callers should know; ${METADATA_CHARACTERS} characters in all.`,
      maxProperties: 64,
      propertyNames: { type: 'string', minLength: 1, maxLength: 128, pattern: PLAIN },
      additionalProperties: { type: 'string', maxLength: 8192, pattern: PLAIN },
    }),
  ),
  check: optional(CheckSchema),
} satisfies Record<string, TSchema>;

export const RegistrationSchema = closed(registrationFields, {
  title: 'Registration',
  description: 'What an instance says about itself. Service, environment, protocol, address and port are its identity.',
});

const reason = text(500, { description: 'Why; whoever may see the instance sees it.', examples: ['kernel upgrade'] });
const told = (description: string) => optional(Type.String({ maxLength: 600, readOnly: true, description }));
const overrideFields = {
  mode: optional(
    Type.Enum(['serving', 'drain', 'maintenance'], {
      description:
        '`drain`: no new calls. `maintenance`: out of service. `serving`: served although its region is not.',
    }),
  ),
  weight: optional(Type.Integer({ minimum: 0, maximum: 65_535, description: 'Instead of what it registered.' })),
  reason,
  // So that what was read can be sent back.
  ...assigned,
  service: told('The id of the service.'),
  instance: told('The id of the instance.'),
  region: told('The region.'),
  by: told('Who set it.'),
};

export const InstanceOverrideSchema = Type.Object(overrideFields, {
  title: 'InstanceOverride',
  additionalProperties: false,
  description: 'What an operator sets for an instance (INS5); a mode, a weight, or both.',
});

export const RegionOverrideSchema = Type.Object(
  {
    ...overrideFields,
    evictionGuard: optional(
      Type.Boolean({ description: 'false: failing instances are given up without the eviction guard (INS4).' }),
    ),
  },
  {
    title: 'RegionOverride',
    additionalProperties: false,
    description: 'What an operator sets for all instances of a service in a region (INS5).',
  },
);

import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { Type, type TSchema } from 'typebox';
import { KINDS, type Kind } from '../domain/resources.ts';
import { PROBLEMS, problemType, type ProblemCode } from '../protocol/problem-catalogue.ts';
import {
  CheckSchema,
  InstanceOverrideSchema,
  RegionOverrideSchema,
  RegistrationSchema,
} from '../protocol/registration.ts';
import { RESOURCES } from '../protocol/resources.ts';

/** A response as a route declares it, for the documentation alone: nothing is serialised by schema. */
export interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
  readonly headers?: Readonly<Record<string, object>>;
}

/** The name of a kind's schema among the components. */
export const componentOf = (kind: Kind): string => String((RESOURCES[kind] as { title?: string }).title);

export const ref = (component: string): object => ({ $ref: `${component}#` });

export const json = (description: string, schema: object): Answer => ({
  description,
  content: { 'application/json': { schema } },
});

export const JsonObject = (description: string): Answer =>
  json(description, { type: 'object', additionalProperties: true });

/** Of a list. */
export const pageOf = (component: string): object => ({
  type: 'object',
  required: ['items', 'nextPageToken', 'revision'],
  properties: {
    items: { type: 'array', items: ref(component) },
    nextPageToken: { type: 'string', description: 'For the next page; empty on the last one.' },
    revision: { type: 'integer', description: 'The revision at which the page was read.' },
  },
});

export const ETAG = { ETag: { type: 'string', description: 'The revision of the resource in double quotes.' } };
export const NO_QUERY = Type.Object({}, { additionalProperties: false });

/** What the routes of a sort can meet. */
const UNAVAILABLE = ['not-ready', 'store-unavailable', 'outcome-unknown', 'overloaded', 'draining'] as const;
export const REFUSALS: readonly ProblemCode[] = [
  'invalid',
  'conflict',
  'quota-exceeded',
  'precondition-failed',
  ...UNAVAILABLE,
];
export const BODY_REFUSALS: readonly ProblemCode[] = ['malformed-body', 'too-large', 'unsupported-media-type'];
export const READ_PROBLEMS: readonly ProblemCode[] = ['invalid', 'not-found', 'not-ready', 'revision-not-reached'];
/** Of writes that no rule of the catalog is about. */
export const RUNTIME_REFUSALS: readonly ProblemCode[] = ['invalid', 'quota-exceeded', ...UNAVAILABLE];
export const LIST_PROBLEMS: readonly ProblemCode[] = ['invalid', 'not-ready', 'revision-not-reached'];
export const APPLY_PROBLEMS: readonly ProblemCode[] = [
  'invalid',
  'conflict',
  'quota-exceeded',
  ...UNAVAILABLE,
  ...BODY_REFUSALS,
];

export const MIN_REVISION = {
  'x-signalbox-min-revision': Type.Optional(
    Type.Integer({ description: 'Wait until the server has reached this revision.' }),
  ),
};
export const ReadHeaders = Type.Object(MIN_REVISION);

const REVISION = { type: 'integer', description: 'The head of the log at the answer.' };
const REQUEST_ID = {
  type: 'string',
  description: "The request's X-Request-Id; with a problem always, made for it when the request has none.",
};

/** Adds what every answer has: the two headers, and the problems that any request can meet. */
export function answers(
  own: Readonly<Record<number, Answer>>,
  problems: readonly ProblemCode[] = [],
): Record<string, Answer> {
  const all: Record<string, Answer> = {};
  for (const [status, answer] of Object.entries(own)) {
    all[status] = {
      ...answer,
      headers: { 'X-Signalbox-Revision': REVISION, 'X-Request-Id': REQUEST_ID, ...answer.headers },
    };
  }
  for (const code of [...problems, 'unauthenticated', 'forbidden', 'rate-limited', 'internal'] as const) {
    const status = String(PROBLEMS[code].status);
    const title = `${PROBLEMS[code].title} (\`${problemType(code)}\`).`;
    const known = all[status];
    all[status] = {
      ...known,
      description: known === undefined ? title : `${known.description} ${title}`,
      content: { ...known?.content, 'application/problem+json': { schema: ref('Problem') } },
    };
  }
  return all;
}

const assignedFields = ['name', 'revision', 'createTime', 'updateTime'];

const Problem = Type.Object(
  {
    type: Type.String({
      description: 'A stable reference; docs/problems.md lists all.',
      examples: [problemType('conflict')],
    }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What is wrong with this request.' }),
    requestId: Type.Optional(Type.String()),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.Optional(Type.String({ description: 'JSON pointer into the body.' })),
          parameter: Type.Optional(Type.String({ description: 'A parameter of the path or the query.' })),
          header: Type.Optional(Type.String()),
          resource: Type.Optional(Type.String({ description: 'The name of the document, where a body has several.' })),
          detail: Type.String({ description: 'What is wrong and what would be right.' }),
        }),
      ),
    ),
    violations: Type.Optional(
      Type.Array(
        Type.Object({
          code: Type.String(),
          rule: Type.String({ description: 'A rule of docs/rules.md.' }),
          resource: Type.String({ description: 'The name of the resource that would be wrong.' }),
          importer: Type.Optional(Type.String()),
          importerVersion: Type.Optional(Type.String()),
          imported: Type.Optional(Type.String()),
          importedVersion: Type.Optional(Type.String()),
          region: Type.Optional(Type.String()),
          message: Type.String(),
          fix: Type.Optional(
            Type.Object(
              {
                method: Type.Enum(['PUT', 'PATCH', 'DELETE', 'POST']),
                path: Type.String(),
                body: Type.Optional(Type.Unknown()),
                summary: Type.String(),
              },
              { description: 'The request that would mend it.' },
            ),
          ),
        }),
      ),
    ),
    retryAfter: Type.Optional(Type.Integer({ description: 'Seconds; also in Retry-After.' })),
    revision: Type.Optional(Type.Integer({ description: 'With precondition-failed: what the resource has.' })),
    reason: Type.Optional(Type.String({ description: 'With start-over: trimmed, epoch or future.' })),
    head: Type.Optional(Type.Object({ epoch: Type.String(), revision: Type.Integer() })),
  },
  { description: 'RFC 9457.' },
);

const Warning = Type.Object(
  { code: Type.String(), resource: Type.String(), message: Type.String() },
  { description: 'Something odd in an accepted change.' },
);

const COMPONENTS: Readonly<Record<string, TSchema>> = {
  Problem,
  Warning,
  Check: CheckSchema,
  Registration: withCheck(RegistrationSchema),
  InstanceOverride: InstanceOverrideSchema,
  RegionOverride: RegionOverrideSchema,
};

/** Where the body may be left out; the plugin takes every body to be required. */
const BODILESS_PATHS = ['/v1/instances/{instance}/renew', '/v1/services/{service}/registration-tokens'];

/** Tells the documentation what the routes registered after it share. */
export async function documentRoutes(app: FastifyInstance, version: string): Promise<void> {
  for (const [name, schema] of Object.entries(COMPONENTS)) app.addSchema({ ...schema, $id: name, title: name });
  for (const kind of KINDS) {
    app.addSchema({ ...answered(schemaOf(kind)), $id: componentOf(kind) });
  }
  await app.register(swagger, {
    convertConstToEnum: false,
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Signalbox', version, description: DESCRIPTION },
      tags: TAGS,
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: '__Host-signalbox',
            description: 'Of a browser, from /login.',
          },
        },
      },
      // Without issuers no token is needed.
      security: [{ bearer: [] }, { session: [] }, {}],
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      for (const path of BODILESS_PATHS) {
        const body = document.openapiObject.paths?.[path]?.post?.requestBody;
        if (body !== undefined && 'content' in body) body.required = false;
      }
      return document.openapiObject;
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, i) => (typeof schema.$id === 'string' ? schema.$id : `def-${i}`),
    },
  });
}

/** An answer always has what the server assigns. In a request these fields are read-only, so nothing asks for them there. */
const answered = (schema: TSchema): object => {
  const { required = [] } = schema as { required?: readonly string[] };
  return { ...schema, required: [...assignedFields, ...required] };
};

const schemaOf = (kind: Kind): TSchema => (kind === 'instance' ? withCheck(RESOURCES.instance) : RESOURCES[kind]);

/** A resource, and what one answer says beside it; a component cannot be extended, since it is closed. */
export function extended(kind: Kind, more: Readonly<Record<string, object>>): object {
  const schema = answered(schemaOf(kind)) as { readonly properties: object };
  return { ...schema, properties: { ...schema.properties, ...more } };
}

/** The check is a component of its own. */
function withCheck(schema: TSchema): TSchema {
  const { properties } = schema as unknown as { readonly properties: Readonly<Record<string, TSchema>> };
  return { ...schema, properties: { ...properties, check: ref('Check') } };
}

const DESCRIPTION = `A control plane for distributed services: one catalog, one revision log, one ordered push feed.

Every answer carries \`X-Signalbox-Revision\`, the head of the log. A read with \`X-Signalbox-Min-Revision\` waits until the
server has reached that revision, so that a client reads its own writes at any server. Errors are \`application/problem+json\`
(RFC 9457). Unknown fields and unknown query parameters are errors. Changes arrive over \`/v1/watch\`.`;

const TAGS = [
  { name: 'catalog', description: 'Regions, projects, services and what belongs to them.' },
  { name: 'manifests', description: 'Many resources at once.' },
  {
    name: 'instances',
    description:
      'What runs. Services register where they are and how it is seen that they live; operators drain them, take them out of service and set their weight.',
  },
  { name: 'tokens', description: 'Registration tokens of services, for what cannot do OAuth.' },
  { name: 'discovery', description: 'Where a service can be called now.' },
  { name: 'coverage', description: 'Which services are covered where, and whether they run there.' },
  { name: 'log', description: 'The revision log.' },
  { name: 'feed', description: 'The push feed.' },
  { name: 'access', description: 'Who one is, and how one becomes somebody.' },
  { name: 'operations', description: 'Running Signalbox.' },
];

import { Type, type Static } from 'typebox';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import type { AuditTrail } from '../../domain/audit.ts';
import { serviceOf } from '../../domain/lookup.ts';
import { partsOf, serviceName } from '../../domain/names.ts';
import { expiryOf, REGISTRATION_TOKEN_ID, type RegistrationToken } from '../../domain/registration-token.ts';
import { Problem } from '../../protocol/problem.ts';
import {
  CreatedRegistrationTokenSchema,
  NewRegistrationTokenSchema,
  RegistrationTokenSchema,
} from '../../protocol/registration-token.ts';
import { id } from '../../protocol/text.ts';
import { validateNewRegistrationToken } from '../../protocol/validate.ts';
import { MAX_LIVE_TOKENS, type TokenDesk } from '../../registry/registration-tokens.ts';
import { sendJson } from '../answers.ts';
import { acceptOnly, JSON_BODY, jsonOf } from '../body.ts';
import type { EdgeState } from '../deps.ts';
import { answers, BODY_REFUSALS, json, NO_QUERY } from '../openapi.ts';
import { checkId, type PathParams } from './collections.ts';
import { pageTokenAfter, pageWanted, TokensQuery } from './registration-token-pages.ts';

export interface RegistrationTokensDeps {
  readonly desk: Pick<TokenDesk, 'create' | 'list' | 'revoke'>;
  readonly state: Pick<EdgeState, 'view'>;
  /** The longest that a token may be good, in milliseconds. */
  readonly maxLifeMs: number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly audit?: AuditTrail;
}

const MAX_BODY_BYTES = 4096;

/** `POST`: the one time that the token is told. */
function create({ desk, state, maxLifeMs, clock, audit }: RegistrationTokensDeps) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { service, since } = serviceIn(state, request);
    const { title, ...life } = bodyOf(request);
    const expiresAt = expiryOf(life, clock(), maxLifeMs);
    if (typeof expiresAt === 'object') throw invalid(expiresAt.pointer, expiresAt.detail);
    const created = await desk.create(request.caller, { service, ...(title && { title }), expiresAt, since });
    if (created === undefined) {
      note(audit, request, { action: 'token.create', service, result: 'too-many-tokens' });
      throw new Problem('too-many-tokens', TOO_MANY);
    }
    const { token, text } = created;
    note(audit, request, { action: 'token.create', service, result: 'created', detail: about(token) });
    reply.code(201).header('cache-control', 'no-store');
    return sendJson(reply, JSON.stringify({ ...shown(token), token: text }));
  };
}

const TOO_MANY = `The service has ${MAX_LIVE_TOKENS} registration tokens that are neither revoked nor expired; revoke one that is no longer used.`;

/** `GET`: never with a secret, since there is none to tell. */
function list({ desk, state }: RegistrationTokensDeps) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { service, since } = serviceIn(state, request);
    const { size, after } = pageWanted(service, request.query as Static<typeof TokensQuery>);
    // One more than the page has says whether there is another.
    const found = await desk.list(service, { limit: size + 1, since, ...(after && { after }) });
    const page = found.slice(0, size);
    const last = page.at(-1);
    const nextPageToken = found.length > size && last !== undefined ? pageTokenAfter(service, last) : '';
    return sendJson(reply, JSON.stringify({ items: page.map(shown), nextPageToken }));
  };
}

/** `DELETE`: revoking twice is revoking once. */
function revoke({ desk, state, audit }: RegistrationTokensDeps) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { service } = serviceIn(state, request);
    const { token: tokenId = '' } = request.params as PathParams;
    // It is not repeated: somebody may have put the token itself in its place.
    if (!ID.test(tokenId))
      throw new Problem('not-found', 'That is no id of a registration token: 24 hexadecimal digits.');
    const token = await desk.revoke(service, tokenId);
    if (token === undefined) throw new Problem('not-found', `${service} has no registration token ${tokenId}.`);
    note(audit, request, { action: 'token.revoke', service, result: 'ok', detail: about(token) });
    return sendJson(reply, JSON.stringify(shown(token)));
  };
}

const ID = new RegExp(REGISTRATION_TOKEN_ID);

/** The service that the path names, and when it was created. */
function serviceIn({ view }: RegistrationTokensDeps['state'], request: FastifyRequest) {
  const { service = '' } = request.params as PathParams;
  checkId('service', 'service', request.params as PathParams);
  const item = serviceOf(view, service);
  if (item === undefined) throw new Problem('not-found', `There is no service "${service}" in the catalog.`);
  return { service, since: Date.parse(item.value.createTime) };
}

function bodyOf(request: FastifyRequest): Static<typeof NewRegistrationTokenSchema> {
  if (!Buffer.isBuffer(request.body) || request.body.length === 0) return {};
  const body = jsonOf(request);
  const [error] = validateNewRegistrationToken(body);
  if (error !== undefined) throw invalid(error.pointer, error.detail);
  return body as Static<typeof NewRegistrationTokenSchema>;
}

const invalid = (pointer: string, detail: string): Problem =>
  new Problem('invalid', { detail: `${pointer} ${detail}`.trim(), errors: [{ pointer, detail }] });

const time = (ms: number): string => new Date(ms).toISOString();

const shown = ({ id: tokenId, service, title, createdAt, expiresAt, createdBy, revokedAt }: RegistrationToken) => ({
  id: tokenId,
  service,
  title,
  createTime: time(createdAt),
  expireTime: time(expiresAt),
  createdBy,
  ...(revokedAt !== undefined && { revokeTime: time(revokedAt) }),
});

const about = ({ id: tokenId, expiresAt }: RegistrationToken): string =>
  `Registration token ${tokenId}, good until ${time(expiresAt)}.`;

interface Noted {
  readonly action: 'token.create' | 'token.revoke';
  readonly service: string;
  readonly result: string;
  readonly detail?: string;
}

function note(audit: AuditTrail | undefined, { caller, id: requestId, raw }: FastifyRequest, noted: Noted): void {
  const account = caller.kind === 'serviceAccount' ? caller.account : undefined;
  const project = account === undefined ? undefined : partsOf(account).parent;
  audit?.note({
    category: 'operation',
    subject: caller.subject,
    ...(account !== undefined && { account }),
    ...(project !== undefined && { project }),
    target: serviceName(noted.service),
    ...noted,
    ...(raw.socket.remoteAddress !== undefined && { address: raw.socket.remoteAddress }),
    requestId,
  });
}

/** Registration tokens of a service: for those that cannot do OAuth. */
export const registrationTokenRoutes =
  (deps: RegistrationTokensDeps): FastifyPluginCallback =>
  (app, _options, done) => {
    app.register((scope, _scopeOptions, scopeDone) => {
      acceptOnly(scope, JSON_BODY);
      createRoute(scope, deps);
      scopeDone();
    });
    app.register((scope, _scopeOptions, scopeDone) => {
      acceptOnly(scope, []);
      listRoute(scope, deps);
      revokeRoute(scope, deps);
      scopeDone();
    });
    done();
  };

const PATH = '/v1/services/:service/registration-tokens';
const SERVICE = { service: id('service', { description: 'The id of the service.' }) };

const head = (operationId: string, summary: string): FastifySchema => ({ operationId, tags: ['tokens'], summary });

function createRoute(app: FastifyInstance, deps: RegistrationTokensDeps): void {
  app.route({
    method: 'POST',
    url: PATH,
    bodyLimit: MAX_BODY_BYTES,
    config: { action: 'token.manage', accepts: JSON_BODY },
    schema: {
      ...head('CreateRegistrationToken', 'Make a registration token'),
      description: `For what cannot do OAuth: its bearer registers, renews and deregisters instances of this service, over HTTP, and does nothing else. The answer holds the token, which is told this once and kept nowhere. A service has ${MAX_LIVE_TOKENS} at most that are neither revoked nor expired. Not to be sent again blindly: each time makes another.`,
      params: Type.Object(SERVICE),
      querystring: NO_QUERY,
      body: { content: { 'application/json': { schema: NewRegistrationTokenSchema } } },
      response: answers({ 201: json('The token.', CreatedRegistrationTokenSchema) }, [
        ...PROBLEMS,
        'too-many-tokens',
        ...BODY_REFUSALS,
      ]),
    },
    handler: create(deps),
  });
}

function listRoute(app: FastifyInstance, deps: RegistrationTokensDeps): void {
  app.route({
    method: 'GET',
    url: PATH,
    config: { action: 'token.manage' },
    schema: {
      ...head('ListRegistrationTokens', 'List the registration tokens of a service'),
      description:
        'In the order in which they were made, without what their bearers show. What ended is listed for 30 days.',
      params: Type.Object(SERVICE),
      querystring: TokensQuery,
      response: answers({ 200: json('A page of registration tokens.', PAGE) }, PROBLEMS),
    },
    handler: list(deps),
  });
}

function revokeRoute(app: FastifyInstance, deps: RegistrationTokensDeps): void {
  app.route({
    method: 'DELETE',
    url: `${PATH}/:token`,
    config: { action: 'token.manage' },
    schema: {
      ...head('RevokeRegistrationToken', 'Revoke a registration token'),
      description:
        'At once at the node that answers, at others within seconds. Revoking twice is revoking once. Instances that were registered with it stay as long as their leases do.',
      params: Type.Object({
        ...SERVICE,
        token: Type.String({ description: 'The id of the token, never the token itself.' }),
      }),
      querystring: NO_QUERY,
      response: answers({ 200: json('It is good no more.', RegistrationTokenSchema) }, PROBLEMS),
    },
    handler: revoke(deps),
  });
}

const PROBLEMS = ['invalid', 'not-found', 'not-ready', 'store-unavailable'] as const;

const PAGE = Type.Object({
  items: Type.Array(RegistrationTokenSchema),
  nextPageToken: Type.String({ description: 'For the next page; empty on the last one.' }),
});

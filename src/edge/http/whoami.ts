import { Type } from 'typebox';
import type { FastifyPluginCallback } from 'fastify';
import { csrfToken } from '../../auth/csrf.ts';
import type { Issuer } from '../../auth/issuer.ts';
import { ROLES } from '../../auth/rights.ts';
import type { Sessions } from '../../auth/sessions.ts';
import type { Site } from '../../auth/site.ts';
import { whoIs } from '../../auth/who-is.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeState } from '../deps.ts';
import { answers, json, NO_QUERY } from '../openapi.ts';
import { sessionIn } from '../session-access.ts';

export interface WhoamiDeps {
  readonly site: Site;
  readonly sessions: Pick<Sessions, 'read'>;
  readonly state: Pick<EdgeState, 'ready' | 'view'>;
  /** Known once the server listens. */
  readonly issuers: () => readonly Issuer[];
  readonly mode: 'development' | 'tokens';
  /** Whether who brings nothing is let in. */
  readonly open: boolean;
}

/** `GET /v1/whoami` and `GET /v1/auth`: who one is, and how one becomes somebody. */
export const whoamiRoutes =
  ({ site, sessions, state, issuers, mode, open }: WhoamiDeps): FastifyPluginCallback =>
  (app, _options, done) => {
    app.route({
      method: 'GET',
      url: '/v1/whoami',
      config: { action: 'session.use' },
      schema: {
        operationId: 'WhoAmI',
        tags: ['access'],
        summary: 'Who is calling, as Signalbox sees them',
        description: 'For every caller, also one that brings nothing.',
        querystring: NO_QUERY,
        response: answers({ 200: json('Who is calling.', WHO) }, ['not-ready']),
      },
      handler: async (request, reply) => {
        // Before, nobody is known to be a service account.
        if (!state.ready)
          throw new Problem('not-ready', { detail: 'The catalog is still being loaded.', retryAfter: 1 });
        const { grant, knownBy: by = 'nothing' } = request;
        const cookie = by === 'session' ? sessionIn(request, site) : undefined;
        const session = cookie === undefined ? undefined : await sessions.read(cookie);
        const expiresAt = session?.endsAt ?? grant?.expiresAt;
        const answer = {
          ...whoIs(request.caller, state.view),
          by,
          ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
          ...(session !== undefined &&
            cookie !== undefined && { name: session.name, issuer: session.issuer, csrf: csrfToken(cookie) }),
        };
        return sendJson(reply.header('cache-control', 'no-store'), JSON.stringify(answer));
      },
    });
    app.route({
      method: 'GET',
      url: '/v1/auth',
      config: { action: 'session.use', credentials: 'none' },
      schema: {
        operationId: 'GetAuth',
        tags: ['access'],
        summary: 'How to log in: the issuers, and what to ask them for',
        querystring: NO_QUERY,
        response: answers({ 200: json('How to log in.', AUTH) }),
      },
      handler: (_request, reply) => sendJson(reply, JSON.stringify({ mode, open, issuers: issuers().map(describe) })),
    });
    done();
  };

function describe({ issuer, audience, login }: Issuer): object {
  return {
    issuer,
    audience,
    browser: login !== undefined,
    ...(login !== undefined && {
      title: login.title ?? issuer,
      scopes: login.scopes,
      ...(login.cliClientId !== undefined && { cliClientId: login.cliClientId }),
      ...(login.resource !== undefined && { resource: login.resource }),
      parameters: login.parameters,
    }),
  };
}

const Texts = (description: string) => Type.Array(Type.String(), { description });

const WHO = Type.Object({
  kind: Type.Enum(['administrator', 'serviceAccount', 'person', 'registrar', 'stranger']),
  subject: Type.String({ description: 'As the identity provider names them.' }),
  account: Type.Optional(Type.String({ description: 'The name of the service account that the caller is.' })),
  project: Type.Optional(Type.String({ description: 'That of the service account.' })),
  roles: Type.Array(Type.Enum(Object.keys(ROLES))),
  services: Texts('Service ids that are theirs; of an administrator none, since all are.'),
  by: Type.Enum(['token', 'session', 'certificate', 'nothing'], { description: 'What they are known by.' }),
  expiresAt: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'When the token or the certificate ends, or the session at the latest.',
    }),
  ),
  name: Type.Optional(Type.String({ description: 'Of a session: what the identity provider calls them.' })),
  issuer: Type.Optional(Type.String({ description: 'Of a session: where they have signed in.' })),
  csrf: Type.Optional(
    Type.String({ description: 'Of a session: what writes have to carry in the header X-Signalbox-CSRF.' }),
  ),
});

const AUTH = Type.Object({
  mode: Type.Enum(['development', 'tokens']),
  open: Type.Boolean({ description: 'Whether who brings nothing is let in, as the administrator (development mode).' }),
  issuers: Type.Array(
    Type.Object({
      issuer: Type.String(),
      audience: Texts('What its tokens have to be for; one of them.'),
      browser: Type.Boolean({ description: 'Whether people log in there at `/login`.' }),
      title: Type.Optional(Type.String()),
      scopes: Type.Optional(Texts('What to ask for.')),
      cliClientId: Type.Optional(Type.String({ description: 'The public client for command lines.' })),
      resource: Type.Optional(Type.String({ description: 'To ask for as RFC 8707 says.' })),
      parameters: Type.Optional(
        Type.Object({}, { additionalProperties: true, description: 'Other parameters of the authorization request.' }),
      ),
    }),
  ),
});

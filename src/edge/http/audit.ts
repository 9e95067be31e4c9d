import { Readable } from 'node:stream';
import { Type, type Static } from 'typebox';
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { servicesOf } from '../../auth/services-of.ts';
import {
  AUDIT_CATEGORIES,
  cursorAfter,
  type AuditCursor,
  type AuditEntry,
  type AuditFilter,
} from '../../domain/audit.ts';
import { decodePageToken, encodePageToken, type TokenQuery } from '../../domain/page-token.ts';
import { badParameter } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeState } from '../deps.ts';
import { answers, LIST_PROBLEMS, ReadHeaders } from '../openapi.ts';

const DEFAULT_PAGE_SIZE = 100;
/** Entries that are held in memory at one time for an export. */
const EXPORT_PAGE = 1000;
const NDJSON = 'application/x-ndjson';

const whole = (description: string) => Type.Optional(Type.String({ maxLength: 400, description }));
const time = (description: string) =>
  Type.Optional(Type.String({ maxLength: 64, description, examples: ['2026-01-15T10:00:00Z'] }));

const AuditQuery = Type.Object(
  {
    subject: whole('Only what this subject did.'),
    account: whole('Only what this service account did: its name.'),
    project: whole('Only what the service accounts of this project did.'),
    action: whole('Only this action, such as `catalog.write`.'),
    category: Type.Optional(Type.Enum([...AUDIT_CATEGORIES], { description: 'Only entries of this sort.' })),
    target: whole('Only what was done to this resource: its name.'),
    service: whole('Only what is about this service.'),
    result: whole('Only what came out like this, such as `updated` or `forbidden`.'),
    from: time('Only from this time on (RFC 3339).'),
    to: time('Only before this time (RFC 3339).'),
    pageSize: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, default: DEFAULT_PAGE_SIZE, description: 'Entries on a page.' }),
    ),
    pageToken: Type.Optional(
      Type.String({ description: 'The `nextPageToken` of the page before, with the same filters.' }),
    ),
  },
  { additionalProperties: false },
);

type Query = Static<typeof AuditQuery>;

interface Page {
  readonly before?: AuditCursor;
  readonly limit: number;
}

export interface AuditDeps {
  readonly store: {
    /** The newest first, from the cursor on. */
    readAudit(filter: AuditFilter, page: Page): Promise<AuditEntry[]>;
  };
  readonly state: Pick<EdgeState, 'view'>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** `GET /v1/audit`: who did what. */
function audit(deps: AuditDeps) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const query = request.query as Query;
    const filter = filterOf(query);
    reply.header('vary', 'accept');
    if (wantsLines(request.headers.accept)) {
      if (query.pageToken !== undefined) throw badParameter('pageToken', `is for pages; ${NDJSON} has all entries`);
      // What fails at once is a problem; what fails later cuts the answer off.
      const first = await readPage(deps, request, filter, query.service, { limit: EXPORT_PAGE });
      const lines = Readable.from(linesFrom(deps, request, filter, query.service, first), { objectMode: false });
      return reply.header('content-type', NDJSON).send(lines);
    }
    const token = tokenQuery(query);
    const before = cursorIn(token, query.pageToken);
    const limit = query.pageSize ?? DEFAULT_PAGE_SIZE;
    const found = await readPage(deps, request, filter, query.service, { ...(before && { before }), limit: limit + 1 });
    const page = found.slice(0, limit);
    const next = found.length > limit ? cursorAfter(page, before) : undefined;
    const nextPageToken =
      next === undefined ? '' : encodePageToken(token, { values: [next.at], name: `${next.given}` });
    return sendJson(reply, JSON.stringify({ items: page.map(shown), nextPageToken }));
  };
}

/** What is the caller's to read is asked anew for each page, since rights change while an export runs. */
async function readPage(
  { store, state }: AuditDeps,
  { caller }: FastifyRequest,
  filter: AuditFilter,
  service: string | undefined,
  page: Page,
): Promise<AuditEntry[]> {
  const own = servicesOf(caller, 'audit.read', state.view);
  const wanted = service === undefined ? undefined : [service];
  const services = own === 'all' ? wanted : (wanted?.filter((id) => own.includes(id)) ?? own);
  if (services?.length === 0) return [];
  return store.readAudit(services === undefined ? filter : { ...filter, services }, page);
}

async function* linesFrom(
  deps: AuditDeps,
  request: FastifyRequest,
  filter: AuditFilter,
  service: string | undefined,
  first: AuditEntry[],
): AsyncIterable<string> {
  let before: AuditCursor | undefined;
  for (let page = first; page.length > 0;) {
    yield page.map((entry) => `${JSON.stringify(shown(entry))}\n`).join('');
    before = cursorAfter(page, before);
    if (page.length < EXPORT_PAGE || before === undefined) return;
    if (request.grant?.holds(deps.clock()) === false) throw new Error('the token has expired during an export');
    page = await readPage(deps, request, filter, service, { before, limit: EXPORT_PAGE });
  }
}

const wantsLines = (accept: string | undefined): boolean =>
  accept !== undefined && accept.split(',').some((type) => /^\s*application\/(?:x-)?ndjson\s*(?:;|$)/i.test(type));

function filterOf(query: Query): AuditFilter {
  const { pageSize: _size, pageToken: _token, service: _service, from, to, ...texts } = query;
  return {
    ...texts,
    ...(from !== undefined && { from: timeOf('from', from) }),
    ...(to !== undefined && { to: timeOf('to', to) }),
  };
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/i;

function timeOf(parameter: string, text: string): number {
  const ms = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw badParameter(parameter, 'must be a time such as 2026-01-15T10:00:00Z; a + in it is sent as %2B');
}

const tokenQuery = ({ pageSize: _size, pageToken: _token, ...filters }: Query): TokenQuery => ({
  collection: 'audit',
  filter: JSON.stringify(Object.entries(filters).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  orderBy: '',
});

function cursorIn(query: TokenQuery, token: string | undefined): AuditCursor | undefined {
  if (token === undefined || token === '') return undefined;
  const read = decodePageToken(query, token, 1);
  if (read === 'other-query') {
    throw badParameter('pageToken', 'belongs to a list with other filters; send the same, or no token');
  }
  const at = read === 'broken' ? undefined : read.values[0];
  const given = read === 'broken' ? Number.NaN : Number(read.name);
  if (!isTime(at) || !Number.isSafeInteger(given) || given < 0) {
    throw badParameter('pageToken', 'is not one that a list has answered; send a nextPageToken as it is, or no token');
  }
  return { at, given };
}

/** From 1970 to the year 9999, which every database takes. */
const isTime = (ms: unknown): ms is number =>
  Number.isSafeInteger(ms) && (ms as number) >= 0 && (ms as number) < 253_402_300_800_000;

const shown = ({ at, ...entry }: AuditEntry): object => ({ at: new Date(at).toISOString(), ...entry });

/** The audit (SEC5). */
export const auditRoute =
  (deps: AuditDeps): FastifyPluginCallback =>
  (app, _options, done) => {
    app.route({
      method: 'GET',
      url: '/v1/audit',
      config: { action: 'audit.read' },
      schema: {
        operationId: 'ListAuditEntries',
        tags: ['operations'],
        summary: 'Who did what',
        description: `The newest first. Administrators see all entries, service accounts and API owners those about services that are theirs. With \`Accept: ${NDJSON}\` all that match, one a line, as a stream; one that ends early is cut off without its end. docs/audit.md tells what is in it.`,
        querystring: AuditQuery,
        headers: ReadHeaders,
        response: answers({ 200: ANSWER }, ['store-unavailable', ...LIST_PROBLEMS]),
      },
      handler: audit(deps),
    });
    done();
  };

const Text = (description: string) => Type.Optional(Type.String({ description }));

const ENTRY = Type.Object({
  at: Type.String({ format: 'date-time', description: 'When it was asked for.' }),
  category: Type.Enum([...AUDIT_CATEGORIES]),
  subject: Type.String({ description: 'Who, as the identity provider names them; `anonymous` without a good token.' }),
  account: Text('The name of the service account that the subject is.'),
  project: Text('Its project.'),
  action: Type.String({ description: 'One of docs/access.md, or what a login or an operation is called.' }),
  target: Text('The name of the resource.'),
  service: Text('The service that it is about; its owners may read the entry.'),
  before: Type.Optional(Type.Integer({ description: 'The revision of the target before the change.' })),
  after: Type.Optional(Type.Integer({ description: 'The revision that the change made.' })),
  result: Type.String({ description: '`created`, `updated`, `deleted`, `ok`, or the code of a problem.' }),
  address: Text('Of the peer, which may be a proxy.'),
  requestId: Text('Of the request; over a WebSocket, of the one that opened it.'),
  detail: Text('One sentence.'),
});

const PAGE = Type.Object({
  items: Type.Array(ENTRY),
  nextPageToken: Type.String({ description: 'For the next page; empty on the last one.' }),
});

const ANSWER = {
  description: 'A page of entries, or all of them.',
  content: { 'application/json': { schema: PAGE }, [NDJSON]: { schema: ENTRY } },
};

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDocument } from '../../domain/resources.ts';
import { badHeader, fromRefusal, Problem } from '../../protocol/problem.ts';
import type { DocumentDesk } from '../../registry/documents.ts';
import { RegistryUnavailable } from '../../registry/errors.ts';
import { REVISION_HEADER, sendJson } from '../answers.ts';
import type { EdgeDeps, Result } from '../deps.ts';
import { askedBy } from '../origin.ts';
import { readApiDocument } from '../read-api-document.ts';
import { seenBy } from '../seen.ts';
import { checkIds, COLLECTIONS, nameIn, type Collection, type PathParams } from './collections.ts';

export interface ApiDocumentDeps extends Pick<EdgeDeps, 'clock'> {
  readonly desk: Pick<DocumentDesk, 'publish' | 'withdraw' | 'read'>;
  readonly state: Pick<EdgeDeps['state'], 'view'>;
}

export const VERSIONS = COLLECTIONS.find(({ kind }) => kind === 'version') as Collection;
const TYPES = { json: 'application/json', yaml: 'application/yaml' } as const;

/** `PUT`: the version has this document from now on. */
export const publish =
  ({ desk, clock }: ApiDocumentDeps) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { name, expect, dryRun } = wishOf(request);
    const { document, body } = await readApiDocument(request);
    const asked = { caller: request.caller, ...askedBy(request), at: clock() };
    const accepted = acceptedOf(await desk.publish(asked, { name, document, body, expect }, dryRun));
    const [{ before, after } = {}] = accepted.outcomes;
    if (documentIn(before) === undefined) reply.code(201).header('location', `/v1/${name}/document`);
    sayRevision(reply, accepted.revision, dryRun).header('etag', etagOf(document.sha256));
    return sendJson(reply, JSON.stringify({ name, revision: after?.revision, document }));
  };

/** `DELETE`. */
export const withdraw =
  ({ desk, clock }: ApiDocumentDeps) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { name, expect, dryRun } = wishOf(request);
    const asked = { caller: request.caller, ...askedBy(request), at: clock() };
    const { revision } = acceptedOf(await desk.withdraw(asked, name, expect, dryRun));
    sayRevision(reply, revision, dryRun);
    return sendJson(reply, JSON.stringify({ name: `${name}/document`, revision, deleted: true }));
  };

/** `GET`: the text as it came. Whose version is hidden, its document is (SEC3). */
export const read =
  ({ desk, state }: ApiDocumentDeps) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const name = nameIn(VERSIONS, request.params as PathParams);
    const item = seenBy(request, state).get(name);
    if (item?.kind !== 'version') throw notFound(`There is no version ${JSON.stringify(name.slice(0, 400))}.`);
    const { document } = item.value;
    if (document === undefined) throw notFound(`${name} has no document; PUT one here.`);
    const etag = etagOf(document.sha256);
    reply.header('etag', etag);
    if (isHeld(request.headers['if-none-match'], etag)) return reply.code(304).send();
    const body = await desk.read(document.sha256);
    // Another one has taken its place, and this node has not heard of that yet.
    if (body === undefined) throw new RegistryUnavailable('not-ready', 1);
    return reply.header('content-type', TYPES[document.format]).send(body);
  };

interface Wish {
  readonly name: string;
  readonly expect: string | undefined;
  readonly dryRun: boolean;
}

function wishOf({ params, query, headers }: FastifyRequest): Wish {
  checkIds(VERSIONS, params as PathParams);
  return {
    name: nameIn(VERSIONS, params as PathParams),
    expect: expectationOf(headers),
    dryRun: (query as { readonly dryRun?: boolean }).dryRun === true,
  };
}

/** What `If-Match` or `If-None-Match` of a write expects of the document. Throws a `Problem`. */
function expectationOf(headers: IncomingHttpHeaders): string | undefined {
  const match = headers['if-match']?.trim();
  const noneMatch = headers['if-none-match']?.trim();
  if (match !== undefined && noneMatch !== undefined) {
    throw new Problem('invalid', 'If-Match and If-None-Match exclude each other; send one of them.');
  }
  if (noneMatch !== undefined) {
    if (noneMatch === '*') return 'absent';
    throw badHeader('If-None-Match', 'of a write must be *, which means that the version must not have a document');
  }
  if (match === undefined || match === '*') return match;
  const sha256 = /^"([0-9a-f]{64})"$/.exec(match)?.[1];
  if (sha256 !== undefined) return sha256;
  throw badHeader('If-Match', 'must be * or the ETag of the document: its SHA-256 in double quotes');
}

function acceptedOf(result: Result): Extract<Result, { ok: true }> {
  if (!result.ok) throw fromRefusal(result.refusal);
  return result;
}

const documentIn = (item: { readonly kind: string; readonly value: object } | undefined): ApiDocument | undefined =>
  item?.kind === 'version' ? (item.value as { readonly document?: ApiDocument }).document : undefined;

function sayRevision(reply: FastifyReply, revision: number, dryRun: boolean): FastifyReply {
  return dryRun ? reply.header('x-signalbox-dry-run', 'true') : reply.header(REVISION_HEADER, revision);
}

const etagOf = (sha256: string): string => `"${sha256}"`;

/** Weak comparison, as RFC 9110 asks for here. */
const isHeld = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()));

const notFound = (detail: string): Problem => new Problem('not-found', detail);

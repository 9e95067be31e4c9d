import { Type, type Static } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { byKind, children } from '../../domain/indexes.ts';
import type { AnyItem } from '../../domain/item.ts';
import { nameOf } from '../../domain/names.ts';
import { parseFilter, type Filter } from '../../domain/filter.ts';
import { BY_NAME, parseOrderBy, type Order, type SortKey } from '../../domain/order-by.ts';
import { pageOf, type Page } from '../../domain/page.ts';
import { decodePageToken, encodePageToken, type TokenQuery } from '../../domain/page-token.ts';
import type { Catalog } from '../../domain/view.ts';
import { FIELDS } from '../../protocol/fields.ts';
import { badParameter, Problem } from '../../protocol/problem.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { seenBy } from '../seen.ts';
import type { Collection, PathParams } from './collections.ts';

const DEFAULT_PAGE_SIZE = 100;

export const ListQuery = Type.Object(
  {
    filter: Type.Optional(
      Type.String({
        description:
          'Only what passes, such as `displayName:iam and not labels.tier = 1`. docs/filters.md has the language.',
        examples: ['labels.team = identity'],
      }),
    ),
    orderBy: Type.Optional(
      Type.String({
        description: 'Fields, each with `asc` or `desc`, such as `displayName desc, name`. By default by name.',
      }),
    ),
    pageSize: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: DEFAULT_PAGE_SIZE,
        description: 'How many items a page has at most.',
      }),
    ),
    pageToken: Type.Optional(
      Type.String({
        description:
          'The `nextPageToken` of the page before, with the same filter and orderBy. What is there throughout is listed exactly once, whatever changes between the pages.',
      }),
    ),
  },
  { additionalProperties: false },
);

type Query = Static<typeof ListQuery>;

/** `GET` of a collection, or with `-` in place of a parent, of the collections of all parents. */
export function list({ state }: Pick<EdgeDeps, 'state'>, collection: Collection) {
  const firstPage = firstPageCache();
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const query = request.query as Query;
    const parent =
      collection.parent === undefined ? undefined : (request.params as PathParams)[collection.parent.param];
    const items = itemsOf(seenBy(request, state), collection, parent);
    const isPlain = query.filter === undefined && query.orderBy === undefined && query.pageToken === undefined;
    const size = query.pageSize ?? DEFAULT_PAGE_SIZE;
    const { revision } = state.head;
    const answer = isPlain
      ? firstPage(items, size, revision, collection, parent)
      : `${queried(items, size, query, collection, parent)}${revision}}`;
    sendJson(reply, answer);
  };
}

function itemsOf(view: Catalog, { kind, parent }: Collection, id: string | undefined): readonly AnyItem[] {
  if (parent === undefined || id === undefined || id === '-') return view.sorted(byKind(kind));
  const items = view.sorted(children(kind, id));
  if (items.length > 0) return items;
  const name = nameOf(parent.kind, id);
  if (view.get(name)?.kind === parent.kind) return items;
  throw new Problem('not-found', `There is no ${parent.kind} ${JSON.stringify(name.slice(0, 400))}.`);
}

interface KeptPage {
  readonly size: number;
  /** All but the revision and what follows it. */
  readonly body: string;
  readonly revision: number;
  readonly bytes: Buffer;
}

/**
 * The first page of each list, encoded. The view makes a new array when anything in a list changes, so the array itself
 * says whether the encoding is still right, and takes it along when it goes; only the revision at its end moves on.
 */
function firstPageCache() {
  const pages = new WeakMap<readonly AnyItem[], KeptPage>();
  return (
    items: readonly AnyItem[],
    size: number,
    revision: number,
    collection: Collection,
    parent: string | undefined,
  ): Buffer => {
    const kept = pages.get(items);
    if (kept?.size === size && kept.revision === revision) return kept.bytes;
    const body =
      kept?.size === size
        ? kept.body
        : encode(pageOf(items, { order: BY_NAME, size }), tokenQuery(collection, parent, {}));
    const bytes = Buffer.from(`${body}${revision}}`);
    pages.set(items, { size, body, revision, bytes });
    return bytes;
  };
}

function queried(
  items: readonly AnyItem[],
  size: number,
  query: Query,
  collection: Collection,
  parent: string | undefined,
): string {
  const token = tokenQuery(collection, parent, query);
  const filter = filterOf(collection, query);
  const order = orderOf(collection, query);
  const after =
    query.pageToken === undefined || query.pageToken === '' ? undefined : cursorOf(token, query.pageToken, order);
  const page = pageOf(items, { order, size, ...(filter && { filter }), ...(after && { after }) });
  return encode(page, token);
}

const tokenQuery = (collection: Collection, parent: string | undefined, query: Query): TokenQuery => ({
  collection: `${collection.kind}/${parent ?? ''}`,
  filter: query.filter ?? '',
  orderBy: query.orderBy ?? '',
});

function filterOf({ kind }: Collection, { filter }: Query): Filter | undefined {
  if (filter === undefined) return undefined;
  const parsed = parseFilter(filter, FIELDS[kind]);
  if (!parsed.ok) throw badParameter('filter', parsed.error.message);
  return parsed.value;
}

function orderOf({ kind }: Collection, { orderBy }: Query): Order {
  if (orderBy === undefined) return BY_NAME;
  const parsed = parseOrderBy(orderBy, kind, FIELDS[kind]);
  if (!parsed.ok) throw badParameter('orderBy', parsed.error.message);
  return parsed.value;
}

function cursorOf(query: TokenQuery, token: string, order: Order): SortKey {
  const cursor = decodePageToken(query, token, order.length);
  if (cursor === 'other-query') {
    throw badParameter(
      'pageToken',
      'belongs to a list with another path, filter or orderBy; send the same ones, or no token',
    );
  }
  if (cursor === 'broken') {
    throw badParameter('pageToken', 'is not one that a list has answered; send a nextPageToken as it is, or no token');
  }
  return cursor;
}

/** All of the answer but the revision and the closing brace. */
function encode({ items, next }: Page, query: TokenQuery): string {
  const token = next === undefined ? '' : encodePageToken(query, next);
  return `{"items":[${items.map((item) => item.json).join(',')}],"nextPageToken":"${token}","revision":`;
}

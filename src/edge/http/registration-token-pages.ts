import { Type, type Static } from 'typebox';
import { decodePageToken, encodePageToken, type TokenQuery } from '../../domain/page-token.ts';
import type { RegistrationToken } from '../../domain/registration-token.ts';
import { badParameter } from '../../protocol/problem.ts';

const DEFAULT_PAGE_SIZE = 100;

export const TokensQuery = Type.Object(
  {
    pageSize: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: DEFAULT_PAGE_SIZE,
        description: 'How many a page has at most.',
      }),
    ),
    pageToken: Type.Optional(Type.String({ description: 'The `nextPageToken` of the page before.' })),
  },
  { additionalProperties: false },
);

type Place = Pick<RegistrationToken, 'createdAt' | 'id'>;

export interface PageWanted {
  readonly size: number;
  readonly after?: Place;
}

const tokenQuery = (service: string): TokenQuery => ({
  collection: `registrationToken/${service}`,
  filter: '',
  orderBy: '',
});

/** Throws a `Problem` when the page token is not one of this list. */
export function pageWanted(service: string, { pageSize, pageToken }: Static<typeof TokensQuery>): PageWanted {
  const size = pageSize ?? DEFAULT_PAGE_SIZE;
  if (pageToken === undefined || pageToken === '') return { size };
  const cursor = decodePageToken(tokenQuery(service), pageToken, 1);
  if (cursor === 'other-query') throw badParameter('pageToken', 'belongs to another list; send none');
  const createdAt = cursor === 'broken' ? undefined : cursor.values[0];
  if (cursor === 'broken' || !isTime(createdAt)) {
    throw badParameter('pageToken', 'is not one that a list has answered; send a nextPageToken as it is, or no token');
  }
  return { size, after: { createdAt, id: cursor.name } };
}

/** What a `Date` can hold. */
const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 8.64e15;

export const pageTokenAfter = (service: string, { createdAt, id }: Place): string =>
  encodePageToken(tokenQuery(service), { values: [createdAt], name: id });

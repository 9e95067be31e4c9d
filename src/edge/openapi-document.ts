import type { FastifyInstance } from 'fastify';

const ORDER = ['openapi', 'info', 'tags', 'paths', 'components'];

/** The OpenAPI document of an app that is ready, as text that depends on nothing but the routes. */
export function openApiText(app: FastifyInstance): string {
  const document = app.swagger() as unknown as Readonly<Record<string, unknown>>;
  const top = Object.fromEntries(
    [
      ...ORDER,
      ...Object.keys(document)
        .filter((key) => !ORDER.includes(key))
        .sort(),
    ]
      .filter((key) => document[key] !== undefined)
      .map((key) => [
        key,
        key === 'paths' || key === 'components' ? sortedTwoDeep(document[key] as Nested) : document[key],
      ]),
  );
  return `${JSON.stringify(top, null, 2)}\n`;
}

type Nested = Readonly<Record<string, object>>;

/** Paths and their methods, component kinds and their names; below them the order is the one that was written. */
function sortedTwoDeep(value: Nested): object {
  return sorted(Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sorted(inner)])));
}

const sorted = (value: object): object =>
  Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));

import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Type, type Static } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { stringify } from 'yaml';
import { byKind, children } from '../../domain/indexes.ts';
import { documentOf } from '../../domain/document.ts';
import { labelsOf, type AnyItem } from '../../domain/item.ts';
import { serviceName } from '../../domain/names.ts';
import type { Kind, Labels } from '../../domain/resources.ts';
import { compareVersions } from '../../domain/versions.ts';
import type { Catalog } from '../../domain/view.ts';
import { Problem } from '../../protocol/problem.ts';
import { JSON_TYPE } from '../answers.ts';
import type { EdgeDeps } from '../deps.ts';
import { seenBy } from '../seen.ts';
import { LABELS_EXAMPLE, parseLabels } from './labels-parameter.ts';

export const ExportQuery = Type.Object(
  {
    service: Type.Optional(Type.String({ maxLength: 253, description: 'Only this service and what is below it.' })),
    labels: Type.Optional(
      Type.String({ description: 'Only what carries all of these labels.', examples: [LABELS_EXAMPLE] }),
    ),
  },
  { additionalProperties: false },
);

interface Format {
  readonly type: string;
  readonly head: string;
  readonly separator: string;
  readonly tail: string;
  encode(document: object): string;
}

const NDJSON: Format = {
  type: 'application/x-ndjson',
  head: '',
  separator: '',
  tail: '',
  encode: (document) => `${JSON.stringify(document)}\n`,
};
const JSON_ARRAY: Format = {
  type: JSON_TYPE,
  head: '[',
  separator: ',',
  tail: '\n]\n',
  encode: (document) => `\n${JSON.stringify(document)}`,
};
const YAML: Format = {
  type: 'application/yaml',
  head: '',
  separator: '---\n',
  tail: '',
  encode: (document) => stringify(document, { lineWidth: 0, version: '1.2' }),
};

/** In order of preference when a request accepts several alike. */
const BY_TYPE: Readonly<Record<string, Format>> = {
  'application/x-ndjson': NDJSON,
  'application/ndjson': NDJSON,
  'application/json': JSON_ARRAY,
  'application/yaml': YAML,
  'application/x-yaml': YAML,
  'text/yaml': YAML,
};
export const EXPORT_TYPES = [NDJSON.type, 'application/json', YAML.type];

/** About so many characters go into one piece of the answer; between pieces others get their turn. */
const PIECE = 32 * 1024;

/**
 * `GET /v1/export`: the catalog as a manifest that `apply` takes. The items are gathered at once, so that all are of one
 * revision; they never change, so their encoding can take its time.
 */
export function exportManifest({ state }: Pick<EdgeDeps, 'state'>) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { service, labels } = request.query as Static<typeof ExportQuery>;
    const format = formatOf(request.headers.accept);
    const wanted = labels === undefined ? {} : parseLabels('labels', labels);
    const items = readingOrder(seenBy(request, state), service).filter((item) => carries(item, wanted));
    reply
      .header('content-type', format.type)
      .header('vary', 'accept')
      .send(Readable.from(pieces(items, format), { objectMode: false }));
  };
}

function formatOf(accept: string | undefined): Format {
  if (accept === undefined) return NDJSON;
  const ranges = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 };
  });
  for (const { type, quality } of ranges.toSorted((a, b) => b.quality - a.quality)) {
    if (quality === 0) continue;
    if (type === '*/*' || type === 'application/*') return NDJSON;
    if (type === 'text/*') return YAML;
    if (Object.hasOwn(BY_TYPE, type)) return BY_TYPE[type] as Format;
  }
  throw new Problem('not-acceptable', `Accept one of ${EXPORT_TYPES.join(', ')}.`);
}

/** What things are in comes before what is in it: regions, projects and their accounts, each service with all it has, bundles. */
function readingOrder(view: Catalog, service: string | undefined): AnyItem[] {
  if (service !== undefined) {
    const item = view.get(serviceName(service));
    if (item?.kind !== 'service') throw new Problem('not-found', `There is no service ${JSON.stringify(service)}.`);
    return withChildren(view, item);
  }
  const of = (kind: Kind): readonly AnyItem[] => view.sorted(byKind(kind));
  return [
    ...of('region'),
    ...of('project').flatMap((project) => [project, ...view.sorted(children('serviceAccount', project.id))]),
    ...of('service').flatMap((item) => withChildren(view, item)),
    ...of('bundle'),
  ];
}

function withChildren(view: Catalog, service: AnyItem): AnyItem[] {
  const versions = view.sorted(children('version', service.id)).toSorted((a, b) => compareVersions(a.id, b.id));
  return [
    service,
    ...versions,
    ...view.sorted(children('resourceType', service.id)),
    ...view.sorted(children('deployment', service.id)),
  ];
}

const carries = (item: AnyItem, labels: Labels): boolean =>
  Object.entries(labels).every(([key, value]) => Object.hasOwn(labelsOf(item), key) && labelsOf(item)[key] === value);

async function* pieces(items: readonly AnyItem[], format: Format): AsyncIterable<string> {
  let piece = format.head;
  for (const [i, item] of items.entries()) {
    piece += (i === 0 ? '' : format.separator) + format.encode(documentOf(item));
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
    await nextTurn();
  }
  yield piece + format.tail;
}

import { Type, type Static } from 'typebox';
import { KINDS } from '../domain/resources.ts';
import { badParameter } from '../protocol/problem.ts';
import type { Select } from '../protocol/frames.ts';
import { LABELS_EXAMPLE, parseLabels } from './http/labels-parameter.ts';

const list = (description: string, example: string) =>
  Type.Optional(Type.String({ description: `${description} Several are separated by commas.`, examples: [example] }));
const pairs = (description: string) => Type.Optional(Type.String({ description, examples: [LABELS_EXAMPLE] }));

/** A selection as the query of a URL says it; PUSH.md tells what each filter means. */
export const selectParameters = {
  kind: Type.Optional(Type.Enum([...KINDS, '*'], { description: 'A kind of resource, or * for all, the default.' })),
  services: list('Only what belongs to one of these services.', 'iam.example.com,orders.example.com'),
  regions: list('Only these regions, and what is in one of them.', 'us-east'),
  labels: pairs('Only what carries each of these labels with exactly this value.'),
  environments: list('Only instances of these environments; the empty text is for those that name none.', 'prod'),
  protocols: list('Only instances that speak one of these protocols.', 'http,https'),
  versions: list('Only instances of these versions.', 'v1'),
  tags: pairs('Only instances that carry each of these tags with exactly this value.'),
  passing: Type.Optional(Type.Boolean({ description: 'Only instances that can be called now, or that cannot.' })),
};

const SelectQuery = Type.Object(selectParameters);
export type SelectQuery = Static<typeof SelectQuery>;

/** What the query selects; `undefined` when it has no such parameter. Throws a `Problem`. */
export function selectOf(query: SelectQuery): Select | undefined {
  if (!Object.keys(selectParameters).some((name) => Object.hasOwn(query, name))) return undefined;
  const { kind = '*', services, regions, labels, environments, protocols, versions, tags, passing } = query;
  return {
    kind,
    ...(services !== undefined && { services: listOf('services', services) }),
    ...(regions !== undefined && { regions: listOf('regions', regions) }),
    ...(labels !== undefined && { labels: pairsOf('labels', labels) }),
    ...(environments !== undefined && { environments: listOf('environments', environments, true) }),
    ...(protocols !== undefined && { protocols: listOf('protocols', protocols) }),
    ...(versions !== undefined && { versions: listOf('versions', versions) }),
    ...(tags !== undefined && { tags: pairsOf('tags', tags) }),
    ...(passing !== undefined && { passing }),
  };
}

const MAX_ENTRIES = 100;
const MAX_PAIRS = 16;
const MAX_LENGTH = 253;

function listOf(parameter: string, text: string, mayBeEmpty = false): string[] {
  const entries = text.split(',');
  if (entries.length > MAX_ENTRIES) throw badParameter(parameter, `must have at most ${MAX_ENTRIES} entries`);
  for (const entry of entries) {
    if (entry === '' && !mayBeEmpty) throw badParameter(parameter, 'must not have an empty entry');
    if (entry.length > MAX_LENGTH)
      throw badParameter(parameter, `must have entries of ${MAX_LENGTH} characters at most`);
  }
  return entries;
}

function pairsOf(parameter: string, text: string): Record<string, string> {
  const found = parseLabels(parameter, text);
  if (Object.keys(found).length > MAX_PAIRS) throw badParameter(parameter, `must have at most ${MAX_PAIRS} entries`);
  return found;
}

import type { FastifyRequest } from 'fastify';
import type { Edit } from '../../domain/command.ts';
import { parseName } from '../../domain/names.ts';
import { Problem, type RequestError } from '../../protocol/problem.ts';
import { parseJson, textOf } from '../body.ts';
import { readYaml } from '../yaml-documents.ts';

export const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson'];
export const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml'];
export const MANIFEST_TYPES = ['application/json', ...NDJSON_TYPES, ...YAML_TYPES];

/** A document is small; so many of them are no catalog but an attack. */
const MAX_DOCUMENTS = 100_000;
/** More faults than anyone reads would only make a large answer. */
export const MAX_ERRORS = 100;

/** The documents of a manifest, in the order of the body. */
export interface Manifest {
  readonly edits: readonly (Edit & { readonly op: 'put' })[];
  /** False when the body is one document, whose pointers have no index then. */
  readonly listed: boolean;
}

/** The resources in the body of an apply. Throws a `Problem`. */
export async function readManifest(request: FastifyRequest): Promise<Manifest> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const text = textOf(request);
  if (NDJSON_TYPES.includes(type)) return manifestOf(ndjson(text), true);
  if (YAML_TYPES.includes(type)) return manifestOf(await readYaml(text, MAX_DOCUMENTS), true);
  const json = parseJson(text);
  return Array.isArray(json) ? manifestOf(json, true) : manifestOf([json], false);
}

function ndjson(text: string): unknown[] {
  const documents: unknown[] = [];
  let line = 1;
  for (let start = 0, end = 0; start < text.length; start = end + 1, line++) {
    end = text.indexOf('\n', start);
    if (end === -1) end = text.length;
    const document = text.slice(start, end);
    if (document.trim() !== '') documents.push(parseJson(document, line));
    if (documents.length > MAX_DOCUMENTS) throw tooMany();
  }
  return documents;
}

const tooMany = (): Problem =>
  new Problem('too-large', `The body has more than the ${MAX_DOCUMENTS} documents that are taken.`);

function manifestOf(documents: readonly unknown[], listed: boolean): Manifest {
  if (documents.length > MAX_DOCUMENTS) throw tooMany();
  const errors: RequestError[] = [];
  const edits = documents.map((document, i): Edit & { op: 'put' } => {
    const detail = faultOf(document);
    if (detail !== undefined && errors.length < MAX_ERRORS) {
      errors.push({ pointer: `${listed ? `/${i}` : ''}${isObject(document) ? '/name' : ''}`, detail });
    }
    return { op: 'put', name: isObject(document) ? String(document.name) : '', value: document };
  });
  if (errors.length === 0) return { edits, listed };
  throw new Problem('invalid', { detail: 'Each document must be a resource with its name.', errors });
}

function faultOf(document: unknown): string | undefined {
  if (!isObject(document)) return 'must be an object: one resource with its name';
  const { name } = document;
  if (name === undefined) return 'is required: the path of the resource under /v1, such as "regions/eu-central"';
  if (typeof name !== 'string') return 'must be a string';
  if (parseName(name) === undefined)
    return `${JSON.stringify(name.slice(0, 80))} is not the path of a resource, such as "regions/eu-central"`;
  return undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The registry leaves the index out of its pointers when there is one document; a list of one still has it. */
export function placeErrors(problem: Problem, { edits, listed }: Manifest): Problem {
  const { errors } = problem.details;
  if (errors === undefined) return problem;
  const placed = errors.slice(0, MAX_ERRORS).map((error): RequestError => {
    if (!('pointer' in error)) return error;
    const pointer = listed && edits.length === 1 ? `/0${error.pointer}` : error.pointer;
    const index = listed ? Number(/^\/([0-9]+)(?:\/|$)/.exec(pointer)?.[1] ?? Number.NaN) : 0;
    const resource = edits[index]?.name;
    return resource === undefined ? { ...error, pointer } : { ...error, pointer, resource };
  });
  return new Problem(problem.code, { ...problem.details, errors: placed });
}

import type { ErrorObject } from 'ajv';
import type { FieldError } from '../domain/errors.ts';
import { PATTERN_IN_WORDS } from './text.ts';

interface Params {
  readonly additionalProperty?: string;
  readonly missingProperty?: string;
  readonly type?: string;
  readonly limit?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly allowedValue?: unknown;
  readonly allowedValues?: readonly unknown[];
  readonly property?: string;
  readonly deps?: string;
  readonly propertyName?: string;
  readonly error?: string;
  readonly tag?: string;
  readonly i?: number;
  readonly j?: number;
}

const FORMAT_IN_WORDS: Readonly<Record<string, string>> = {
  endpoint:
    'must be a host name in lower case or an address, with an optional port and without a scheme, such as "iam.example.com:443"',
  'host-address': 'must be an IP address without brackets, or a host name in lower case, without scheme and port',
  date: 'must be a date such as "2027-06-30"',
  'date-time': 'must be a time such as "2027-06-30T12:00:00Z"',
};

/** What AJV found wrong. An error about a key of a map comes with a second one that only says so again. */
export const toFieldErrors = (errors: readonly ErrorObject[] | null | undefined): readonly FieldError[] =>
  (errors ?? []).filter((error) => error.keyword !== 'propertyNames').map(toFieldError);

/** An AJV error (with `verbose`) as a field error whose detail says what to do about it. */
function toFieldError(error: ErrorObject): FieldError {
  const params = error.params as Params;
  const child = params.additionalProperty ?? (error.keyword === 'required' ? params.missingProperty : undefined);
  const at = error.keyword === 'discriminator' ? params.tag : child;
  const pointer = at === undefined ? error.instancePath : `${error.instancePath}/${escapePointer(at)}`;
  return { pointer, detail: detailOf(error, params) };
}

/** RFC 6901. */
export const escapePointer = (segment: string): string => segment.replaceAll('~', '~0').replaceAll('/', '~1');

function detailOf(error: ErrorObject, params: Params): string {
  switch (error.keyword) {
    case 'additionalProperties':
      return `"${printable(params.additionalProperty ?? '')}" is not known here; known: ${knownFields(schemaOf(error))}`;
    case 'required':
      return `is required: ${describe(schemaOf(error), params.missingProperty ?? '')}${misspelt(error)}`;
    case 'dependentRequired':
      return `${params.property ?? ''} needs ${params.deps ?? ''} beside it`;
    case 'type':
      return `must be ${article(params.type ?? '')}, not ${article(typeOf(error.data))}`;
    case 'pattern':
      return inName(error, PATTERN_IN_WORDS.get(params.pattern ?? '') ?? `must match ${params.pattern ?? ''}`);
    case 'format':
      return FORMAT_IN_WORDS[params.format ?? ''] ?? `must be a ${params.format ?? 'value of its format'}`;
    case 'minLength':
      return params.limit === 1
        ? 'must not be empty; leave it out instead'
        : `must have at least ${params.limit} characters`;
    case 'maxLength':
      return inName(error, `must have at most ${params.limit} characters`);
    case 'minItems':
      return `must have at least ${params.limit} ${params.limit === 1 ? 'entry' : 'entries'}`;
    case 'maxItems':
    case 'maxProperties':
      return `must have at most ${params.limit} entries`;
    case 'minimum':
      return `must be at least ${params.limit}`;
    case 'maximum':
      return `must be at most ${params.limit}`;
    case 'uniqueItems':
      return `entries ${params.j} and ${params.i} are equal; list each once`;
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case 'enum':
      return `must be one of ${(params.allowedValues ?? []).join(', ')}`;
    case 'discriminator':
      return `must be one of ${tagValues(schemaOf(error), params.tag).join(', ')}`;
    default:
      return error.message ?? 'is wrong';
  }
}

/** An error about a key of a map names the key; its pointer can only name the map. */
const inName = (error: ErrorObject, detail: string): string =>
  error.propertyName === undefined ? detail : `the key "${printable(error.propertyName)}" ${detail}`;

const printable = (text: string): string => JSON.stringify(text.slice(0, 80)).slice(1, -1);

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string; readonly readOnly?: boolean }>>;
  readonly oneOf?: readonly { readonly properties: Readonly<Record<string, { readonly const?: string }>> }[];
}

/** A field that is missed and one that nobody knows are often the same one. */
function misspelt(error: ErrorObject): string {
  const { properties = {} } = schemaOf(error);
  const stray = Object.keys(error.data as object).find((field) => !Object.hasOwn(properties, field));
  return stray === undefined ? '' : `; "${printable(stray)}" is not known here`;
}

const schemaOf = (error: ErrorObject): ObjectSchema => (error.parentSchema ?? {}) as ObjectSchema;

function knownFields({ properties = {} }: ObjectSchema): string {
  const fields = Object.entries(properties).filter(([, field]) => field.readOnly !== true);
  return fields.map(([name]) => name).join(', ') || 'nothing';
}

function describe(schema: ObjectSchema, field: string): string {
  if (schema.oneOf !== undefined) return `one of ${tagValues(schema, field).join(', ')}`;
  return schema.properties?.[field]?.description ?? field;
}

const tagValues = (schema: ObjectSchema, tag = ''): string[] =>
  (schema.oneOf ?? []).map((branch) => branch.properties[tag]?.const ?? '');

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const article = (type: string): string => (type === 'null' ? 'null' : `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`);

import { Type, type TSchema } from 'typebox';
import { DURATION } from '../domain/duration.ts';
import { ID_PATTERNS } from '../domain/names.ts';
import type { Kind, Labels } from '../domain/resources.ts';

/** No control characters, line separators, lone surrogates or direction overrides: they lie to terminals and logs. */
export const PLAIN = '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069]*$';
/** Of a label or tag that is asked for, whether or not one can be called that. */
export const SELECT_KEY = '^[^=\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069]{0,63}$';
export const LABEL_KEY = '^[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?$';
export const API_ID = '^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?$';
export const PLURAL = '^[A-Z][a-zA-Z]{1,132}$';

export const PROTOCOL_NAME = '^[a-z][a-z0-9+.-]{0,31}$';
export const BUILD = '^[a-zA-Z0-9](?:[a-zA-Z0-9._+-]{0,62}[a-zA-Z0-9])?$';
export const CHECK_PATH = '^/[\\x21-\\x7e]{0,1023}$';
export const HEADER_NAME = '^[A-Za-z0-9-]{1,64}$';
export const HEADER_VALUE = '^[\\x20-\\x7e]{0,1024}$';
export const STATUSES = '^[1-5][0-9]{2}(?:-[1-5][0-9]{2})?$';
export const GRPC_SERVICE = '^[A-Za-z0-9_./{}-]{0,256}$';

const SLUG = '2 to 63 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen';

/** What each pattern wants, in words; an error says this rather than a regular expression. */
export const PATTERN_IN_WORDS: ReadonlyMap<string, string> = new Map([
  [PLAIN, 'must not contain control characters, line separators, lone surrogates or text direction overrides'],
  [SELECT_KEY, 'must have 63 characters at most, no "=" and no control characters'],
  [LABEL_KEY, 'must be 1 to 63 lower-case letters, digits, ".", "_", "/" and "-", with a letter or digit at both ends'],
  [API_ID, 'must be 1 to 64 letters, digits, ".", "_" and "-", with a letter or digit at both ends'],
  [PLURAL, 'must be 2 to 133 letters, the first of them upper-case'],
  [ID_PATTERNS.region, `must be ${SLUG}`],
  [ID_PATTERNS.service, 'must be a lower-case domain name such as "iam.example.com"'],
  [ID_PATTERNS.version, 'must be a version such as "v1", "v1alpha2", "v2beta1" or "v1.4.2"'],
  [ID_PATTERNS.resourceType, 'must be 1 to 128 letters'],
  [ID_PATTERNS.instance, 'must be the id of an instance: 24 hexadecimal digits'],
  [ID_PATTERNS.override, 'must be a region, or "-" for instances without one'],
  [DURATION, 'must be a duration such as "500ms", "10s", "5m" or "24h"'],
  [PROTOCOL_NAME, 'must be the name of a protocol in lower case, such as "http" or "grpc"'],
  [BUILD, 'must be 1 to 64 letters, digits, ".", "_", "+" and "-", with a letter or digit at both ends'],
  [CHECK_PATH, 'must be a path that begins with "/", of printable ASCII characters without spaces'],
  [HEADER_NAME, 'must be the name of a header: letters, digits and "-"'],
  [HEADER_VALUE, 'must be at most 1024 printable ASCII characters'],
  [STATUSES, 'must be a status such as "204", or a range such as "200-299"'],
  [GRPC_SERVICE, 'must be the name of a gRPC service'],
]);

export interface Doc {
  readonly description: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly title?: string;
}

/** Free text of 1 to `maxLength` characters. */
export const text = (maxLength: number, doc: Doc) =>
  Type.String({ minLength: 1, maxLength, pattern: PLAIN, ...spread(doc) });

export const id = (kind: Kind, doc: Doc) => Type.String({ maxLength: 253, pattern: ID_PATTERNS[kind], ...spread(doc) });

/** A host name or address with an optional port; the format is defined in `formats.ts`. */
export const endpoint = (doc: Doc) => Type.String({ maxLength: 260, format: 'endpoint', ...spread(doc) });

/** TypeBox wants mutable arrays. */
export const spread = ({ examples, ...doc }: Doc): Record<string, unknown> =>
  examples === undefined ? doc : { ...doc, examples: [...examples] };

export const labels = (description = 'Your own keys and values, for filters, selectors and pruning.') =>
  Type.Unsafe<Labels>({
    type: 'object',
    description,
    default: {},
    examples: [{ team: 'identity', 'example.com/tier': '1' }],
    maxProperties: 64,
    propertyNames: { type: 'string', maxLength: 63, pattern: LABEL_KEY },
    additionalProperties: { type: 'string', maxLength: 63, pattern: PLAIN },
  });

export const closed = <const P extends Record<string, TSchema>>(properties: P, doc: Doc) =>
  Type.Object(properties, { additionalProperties: false, ...spread(doc) });

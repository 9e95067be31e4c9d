import { Type } from 'typebox';
import type { FieldError } from '../domain/errors.ts';
import { isObject } from '../domain/merge-patch.ts';
import type { ApiDocument } from '../domain/resources.ts';
import { PATTERN_IN_WORDS, PLAIN } from './text.ts';

/** Bytes. */
export const MAX_API_DOCUMENT = 2 * 1024 * 1024;
const MAX_TITLE = 256;
const MAX_API_VERSION = 64;

/** Open, so that who sends a version back whole may have it from a later release. */
export const ApiDocumentSchema = Type.Object(
  {
    sha256: Type.String({ description: 'Of the text, in hexadecimal digits; also its ETag.' }),
    bytes: Type.Integer({ description: 'The length of the text.' }),
    format: Type.Enum(['json', 'yaml'], { description: 'What the text is written in.' }),
    openapi: Type.String({ description: 'The version of OpenAPI; `2.0` for Swagger.', examples: ['3.1.0'] }),
    title: Type.String({ description: 'As its `info` says.', examples: ['Orders'] }),
    apiVersion: Type.String({ description: 'As `version` of its `info` says.', examples: ['1.4.2'] }),
  },
  {
    readOnly: true,
    description:
      'What is known of the OpenAPI document of the version. It is published and read at `/document` below the version; what a request says about it here is passed over.',
  },
);

export type Described = Pick<ApiDocument, 'openapi' | 'title' | 'apiVersion'>;

/**
 * What an OpenAPI document says of itself, or what is wrong with it. Nothing else of it is looked at: it is kept and handed
 * out as it came.
 */
export function describeApi(value: unknown): Described | FieldError[] {
  if (!isObject(value)) return [{ pointer: '', detail: 'must be an object: an OpenAPI document' }];
  const errors: FieldError[] = [];
  const openapi = versionOf(value, errors);
  const info = own(value, 'info');
  if (!isObject(info)) errors.push({ pointer: '/info', detail: 'is required: an object with `title` and `version`' });
  const title = isObject(info) ? textAt(info, 'title', MAX_TITLE, errors) : undefined;
  const apiVersion = isObject(info) ? textAt(info, 'version', MAX_API_VERSION, errors) : undefined;
  if (openapi === undefined || title === undefined || apiVersion === undefined) return errors;
  return { openapi, title, apiVersion };
}

const OPENAPI = /^3\.[0-9]{1,3}\.[0-9]{1,3}(?:-[0-9A-Za-z.-]{1,32})?$/;

function versionOf(document: Readonly<Record<string, unknown>>, errors: FieldError[]): string | undefined {
  const openapi = own(document, 'openapi');
  const swagger = own(document, 'swagger');
  if (openapi === undefined && swagger === '2.0') return swagger;
  if (typeof openapi === 'string' && OPENAPI.test(openapi)) return openapi;
  if (openapi === undefined && swagger !== undefined)
    errors.push({ pointer: '/swagger', detail: 'must be the text "2.0"; newer documents say `openapi`' });
  else errors.push({ pointer: '/openapi', detail: 'is required: the text of a version of OpenAPI, such as "3.1.0"' });
  return undefined;
}

const plain = new RegExp(PLAIN, 'u');

/** It is shown to people, in lists and terminals. */
function textAt(
  info: Readonly<Record<string, unknown>>,
  field: string,
  maxLength: number,
  errors: FieldError[],
): string | undefined {
  const text = own(info, field);
  const fail = (detail: string): undefined => void errors.push({ pointer: `/info/${field}`, detail });
  if (typeof text !== 'string') return fail(text === undefined ? 'is required' : 'must be a string; put it in quotes');
  if (text === '' || text.length > maxLength) return fail(`must have 1 to ${maxLength} characters`);
  return plain.test(text) ? text : fail(PATTERN_IN_WORDS.get(PLAIN) ?? 'is not plain text');
}

/** A document may have keys such as `__proto__`; what is inherited is none of its. */
const own = (object: Readonly<Record<string, unknown>>, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import type { FastifySchemaCompiler } from 'fastify';
import { badParameter, type Problem } from '../protocol/problem.ts';

/** The texts of a URL become numbers and booleans; an unknown parameter is an error, since it may be a `dryRun` misspelt. */
const ajv = new Ajv2020({
  allErrors: false,
  coerceTypes: true,
  useDefaults: true,
  removeAdditional: false,
  verbose: true,
});

/**
 * Checks queries. Bodies have no validator here: the registry checks resources where it decides about them, and the
 * schemas of bodies are for the documentation.
 */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  if (httpPart !== 'querystring') return () => true;
  const check = ajv.compile(schema);
  return (query: unknown) => (check(query) ? true : { error: problemOf(check.errors?.[0]) });
};

interface Params {
  readonly additionalProperty?: string;
  readonly missingProperty?: string;
  readonly type?: string;
  readonly limit?: number;
}

const TYPES: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  boolean: 'true or false',
  string: 'one text',
};

function problemOf(error: ErrorObject | undefined): Problem {
  const params = (error?.params ?? {}) as Params;
  const name = error?.instancePath.slice(1) ?? '';
  switch (error?.keyword) {
    case 'additionalProperties': {
      const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
      const list = known.length === 0 ? 'this route takes none' : `there are ${known.join(', ')}`;
      return badParameter((params.additionalProperty ?? '').slice(0, 80), `is not a parameter of this route; ${list}`);
    }
    case 'required':
      return badParameter(params.missingProperty ?? '', 'is required');
    case 'type':
      if (Array.isArray(error.data)) return badParameter(name, 'is given more than once; give it once');
      return badParameter(name, `must be ${TYPES[params.type ?? ''] ?? params.type}`);
    case 'minimum':
      return badParameter(name, `must be at least ${params.limit}`);
    case 'maximum':
      return badParameter(name, `must be at most ${params.limit}`);
    case 'maxLength':
      return badParameter(name, `must have at most ${params.limit} characters`);
    default:
      return badParameter(name, error?.message ?? 'is wrong');
  }
}

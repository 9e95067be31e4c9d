import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { PATTERN_IN_WORDS, SELECT_KEY } from './text.ts';
import { ClientFrames, type ClientFrame, type ErrorFrame } from './frames.ts';

const ajv = new Ajv({ allErrors: false, strict: false });
const validators = Object.fromEntries(
  Object.entries(ClientFrames).map(([type, schema]) => [type, ajv.compile(schema)]),
) as Record<string, ValidateFunction>;

export type ParsedFrame = { readonly frame: ClientFrame } | { readonly error: Omit<ErrorFrame, 'type'> };

/** A client's text frame, checked against its schema; or the error frame to answer with. */
export function parseClientFrame(text: string): ParsedFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad('the frame is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('a frame is a JSON object');
  const { type, id } = value as { type?: unknown; id?: unknown };
  const validate = typeof type === 'string' && Object.hasOwn(validators, type) ? validators[type] : undefined;
  if (validate === undefined) return bad(`type is one of ${Object.keys(validators).join(', ')}`);
  if (validate(value)) return { frame: value as ClientFrame };
  const first = validate.errors?.[0];
  const frameId = typeof id === 'string' && id.length > 0 && id.length <= 64 ? id : undefined;
  const inSelect = first?.instancePath.startsWith('/select') === true;
  const error = { code: inSelect ? ('bad-select' as const) : ('bad-frame' as const), message: describe(first) };
  return { error: frameId === undefined ? error : { ...error, id: frameId } };
}

const bad = (message: string): ParsedFrame => ({ error: { code: 'bad-frame', message } });

function describe(error: ErrorObject | undefined): string {
  if (error === undefined) return 'the frame does not match its schema';
  const params = error.params as { additionalProperty?: string; allowedValues?: unknown[]; pattern?: string };
  const where = error.instancePath === '' ? 'the frame' : error.instancePath;
  if (/^\/select\/(?:labels|tags)$/.test(where) && params.additionalProperty !== undefined) {
    const key = JSON.stringify(params.additionalProperty.slice(0, 64));
    return `${where} has the key ${key}, which ${PATTERN_IN_WORDS.get(SELECT_KEY) ?? ''}`;
  }
  const words = PATTERN_IN_WORDS.get(params.pattern ?? '');
  if (words !== undefined) return `${where} ${words}`;
  const detail =
    params.additionalProperty !== undefined
      ? `: ${JSON.stringify(params.additionalProperty.slice(0, 64))}`
      : params.allowedValues !== undefined
        ? `: ${params.allowedValues.join(', ')}`
        : '';
  return `${where} ${error.message ?? 'is wrong'}${detail}`;
}

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Validate } from '../domain/command.ts';
import type { FieldError } from '../domain/errors.ts';
import { KINDS, type Kind } from '../domain/resources.ts';
import { toFieldErrors } from './field-errors.ts';
import { addFormats } from './formats.ts';
import { NewRegistrationTokenSchema } from './registration-token.ts';
import { InstanceOverrideSchema, RegionOverrideSchema, RegistrationSchema } from './registration.ts';
import { RESOURCES } from './resources.ts';

/**
 * One error at a time: collecting all lets a small request make a large answer. Nothing is coerced, filled in or removed,
 * since what is checked here is what is stored.
 */
const ajv = new Ajv2020({
  allErrors: false,
  coerceTypes: false,
  removeAdditional: false,
  discriminator: true,
  verbose: true,
});
addFormats(ajv);

const compiled = new Map<Kind, ValidateFunction>(KINDS.map((kind) => [kind, ajv.compile(RESOURCES[kind])]));

/** The shape of a resource of a kind, without its relations: no errors, or the first one, with a JSON pointer. */
export const validateResource: Validate = (kind, value) => {
  const check = compiled.get(kind);
  if (check === undefined) throw new Error(`no schema for ${kind}`);
  return check(value) ? NONE : toFieldErrors(check.errors);
};

const checkOf = (schema: object) => {
  const check = ajv.compile(schema);
  return (value: unknown): readonly FieldError[] => (check(value) ? NONE : toFieldErrors(check.errors));
};

/** The shape of a registration: no errors, or the first one. */
export const validateRegistration = checkOf(RegistrationSchema);
export const validateInstanceOverride = checkOf(InstanceOverrideSchema);
export const validateRegionOverride = checkOf(RegionOverrideSchema);
export const validateNewRegistrationToken = checkOf(NewRegistrationTokenSchema);

const NONE: readonly FieldError[] = [];

import { ID_FIELD, PARENT_FIELD, type Fields, type FieldType } from '../domain/fields.ts';
import { KINDS, type Kind } from '../domain/resources.ts';
import { RESOURCES } from './resources.ts';

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: boolean | Schema;
}

const HAS_PARENT: ReadonlySet<Kind> = new Set(['serviceAccount', 'version', 'resourceType', 'deployment']);

/** The fields of each kind that filters and orders may name, read off the schemas. */
export const FIELDS: Readonly<Record<Kind, Fields>> = Object.fromEntries(
  KINDS.map((kind) => [kind, fieldsOf(kind)]),
) as unknown as Record<Kind, Fields>;

function fieldsOf(kind: Kind): Fields {
  const fields = new Map<string, FieldType>([
    ['name', 'value'],
    [ID_FIELD, 'value'],
  ]);
  if (HAS_PARENT.has(kind)) fields.set(PARENT_FIELD, 'value');
  addProperties(fields, '', RESOURCES[kind], false);
  return fields;
}

/** `inList`: what is found below a list has several values. */
function addProperties(fields: Map<string, FieldType>, prefix: string, schema: Schema, inList: boolean): void {
  for (const branch of schema.oneOf ?? [schema]) {
    for (const [name, field] of Object.entries(branch.properties ?? {})) {
      // Not of the resource, but of one answer.
      if (prefix + name !== 'warnings') addField(fields, prefix + name, field, inList);
    }
  }
}

function addField(fields: Map<string, FieldType>, path: string, schema: Schema, inList: boolean): void {
  if (schema.type === 'array') {
    const isGroup = schema.items?.type === 'object';
    fields.set(path, isGroup ? 'group' : 'list');
    if (isGroup && schema.items !== undefined) addProperties(fields, `${path}.`, schema.items, true);
  } else if (typeof schema.additionalProperties === 'object') {
    fields.set(path, 'map');
  } else if (schema.type === 'object') {
    fields.set(path, 'group');
    addProperties(fields, `${path}.`, schema, inList);
  } else {
    fields.set(path, inList ? 'list' : 'value');
  }
}

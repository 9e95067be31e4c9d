import type { AnyItem } from './item.ts';

/** A resource as it is applied: its name and its fields, without what the server assigns. */
export type Document = { readonly name: string } & Readonly<Record<string, unknown>>;

/** A resource as its owner would write it. */
export function documentOf({ value }: AnyItem): Document {
  const { revision: _revision, createTime: _created, updateTime: _updated, ...document } = value;
  if (!('effectiveUses' in document)) return document;
  const { effectiveUses: _uses, ...service } = document;
  return service;
}

import type { AnyItem } from './item.ts';

/** A resource as it is applied: its name and its fields, without what the server assigns. */
export type Document = { readonly name: string } & Readonly<Record<string, unknown>>;

/** A resource as its owner would write it; with its apiId, which would be another one in another registry. */
export function documentOf({ value }: AnyItem): Document {
  const { revision: _revision, createTime: _created, updateTime: _updated, ...document } = value;
  if ('effectiveUses' in document) {
    const { effectiveUses: _uses, ...service } = document;
    return service;
  }
  if (!('document' in document)) return document;
  const { document: _document, ...version } = document;
  return version;
}

import type { WatchChange } from '../sdk/watch/watch.ts';

/** A resource as the feed carries it. */
export type Value = Readonly<Record<string, unknown>>;

/** What happened to one resource, as the feed writes it, and what was held of it before. */
export interface Delta {
  readonly op: 'put' | 'delete';
  readonly kind: string;
  readonly key: string;
  readonly revision: number;
  readonly before?: Value;
  readonly value?: Value;
}

export const deltaOf = ({ kind, name, revision, before, value }: WatchChange): Delta => ({
  op: value === undefined ? 'delete' : 'put',
  kind,
  key: name,
  revision,
  ...(before !== undefined && { before }),
  ...(value !== undefined && { value }),
});

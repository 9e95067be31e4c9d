import type { AnyItem, Change, Entry } from '../domain/item.ts';
import type { Kind } from '../domain/resources.ts';

/** A change as the feed and `GET /v1/changes` write it. */
export const encodePut = (item: AnyItem): string =>
  `{"op":"put","kind":"${item.kind}","key":"${item.name}","revision":${item.revision},"value":${item.json}}`;

/** Names have no character that JSON escapes. */
export const encodeDelete = (kind: Kind, name: string, revision: number): string =>
  `{"op":"delete","kind":"${kind}","key":"${name}","revision":${revision}}`;

export const encodeChange = (change: Change, revision: number): string =>
  change.op === 'put' ? encodePut(change.item) : encodeDelete(change.kind, change.name, revision);

export const encodeEntry = ({ changes, revision }: Entry): string =>
  changes.map((change) => encodeChange(change, revision)).join(',');

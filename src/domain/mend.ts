import type { ResourceEdit } from './command.ts';
import type { Delta } from './delta.ts';
import type { Fix } from './errors.ts';
import type { Finding } from './finding.ts';
import type { Item } from './item.ts';
import { versionOf } from './lookup.ts';
import type { Document } from './document.ts';
import type { Planner } from './planner.ts';
import type { Reader } from './view.ts';

/** A request that might mend a violation, before anyone has tried whether it would be accepted. */
export interface Mend {
  readonly edits: readonly ResourceEdit[];
  readonly summary: string;
}

/** What the proposals for one refused command share. */
export interface Proposal {
  readonly delta: Delta;
  readonly findings: readonly Finding[];
  /**
   * Whether the command itself puts, prunes or deletes a resource. It does so again when it is sent again, so that to
   * change it first is futile; what only follows from the command follows anew.
   */
  readonly says: (name: string) => boolean;
  readonly planner: Planner;
  /** Keeps what several violations propose alike, so that it is made and tried once. */
  readonly once: (key: string, make: () => Mend | undefined) => readonly Mend[];
}

export const patch = (name: string, change: unknown, summary: string): Mend => ({
  edits: [{ op: 'patch', name, patch: change }],
  summary,
});

export const put = (name: string, value: unknown, summary: string): Mend => ({
  edits: [{ op: 'put', name, value }],
  summary,
});

export const remove = (name: string, summary: string): Mend => ({ edits: [{ op: 'delete', name }], summary });

/** Documents to apply in one revision; a single one that exists already becomes a patch of what differs. */
export function apply(state: Reader, documents: readonly Document[], summary: string): Mend | undefined {
  const [first] = documents;
  if (first === undefined) return undefined;
  if (documents.length > 1)
    return { edits: documents.map((value) => ({ op: 'put', name: value.name, value })), summary };
  const { name, ...fields } = first;
  const before = state.get(name);
  if (before === undefined) return put(name, fields, summary);
  const old = before.value as unknown as Record<string, unknown>;
  const differing = Object.entries(fields).filter(([key, value]) => JSON.stringify(old[key]) !== JSON.stringify(value));
  return patch(name, Object.fromEntries(differing), summary);
}

/** Versions without some of their imports. */
export function dropImports(
  state: Reader,
  drops: ReadonlyMap<string, ReadonlySet<string>>,
  summary: string,
): Mend | undefined {
  const documents: Document[] = [];
  for (const [name, services] of drops) {
    const version = state.get(name);
    if (version?.kind !== 'version') return undefined;
    const { labels, lifecycle } = version.value;
    const imports = version.value.imports.filter(({ service }) => !services.has(service));
    documents.push({ name, imports, lifecycle, labels });
  }
  return apply(state, documents, summary);
}

/** The importing version as it was before the command, if it had the import already. */
export function importStood({ before }: Delta, { violation }: Finding): Item<'version'> | undefined {
  const { importer = '', importerVersion = '', imported, importedVersion } = violation;
  const version = versionOf(before, importer, importerVersion);
  return version?.value.imports.some((one) => one.service === imported && one.version === importedVersion)
    ? version
    : undefined;
}

/** The request as a client would send it. */
export function fixOf({ edits, summary }: Mend): Fix {
  const [edit] = edits;
  if (edit === undefined || edits.length > 1) {
    const body = edits.map((one) => (one.op === 'put' ? one.value : { name: one.name }));
    return { method: 'POST', path: '/v1/apply', body, summary };
  }
  const path = `/v1/${edit.name}`;
  if (edit.op === 'delete') return { method: 'DELETE', path, summary };
  return edit.op === 'put'
    ? { method: 'PUT', path, body: edit.value, summary }
    : { method: 'PATCH', path, body: edit.patch, summary };
}

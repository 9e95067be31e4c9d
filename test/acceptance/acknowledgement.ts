import type { Answer } from '../support/signalbox.ts';

/** A write of one resource, as it was acknowledged: what has to stand in the log at that revision. */
export interface Acknowledgement {
  readonly revision: number;
  readonly name: string;
  readonly op: 'put' | 'delete';
  /** Of a put: what was sent, and where the answer has the resource, all of that. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Asked {
  readonly method: 'PUT' | 'PATCH' | 'DELETE' | 'POST';
  readonly path: string;
  readonly body?: unknown;
}

type Fields = Record<string, unknown>;

/** All that an answer says was made. What was so already is at the revision at which it became so, or is not told of. */
export function acknowledgementsOf({ method, path, body: sent }: Asked, { body }: Answer): Acknowledgement[] {
  if (method === 'POST') return appliedOf(sent as readonly Fields[], body as Applied);
  const answer = body as Fields;
  const revision = Number(answer['revision']);
  const name = path.slice('/v1/'.length);
  if (method === 'DELETE') return [{ revision, name, op: 'delete', fields: {} }];
  const { warnings: _warnings, ...fields } = answer;
  return [{ revision, name, op: 'put', fields: method === 'PUT' ? { ...fields, ...(sent as Fields) } : fields }];
}

interface Applied {
  readonly revision: number;
  readonly items: readonly { readonly name: string; readonly op: string }[];
}

const MADE: ReadonlySet<string> = new Set(['created', 'updated']);

function appliedOf(sent: readonly Fields[], { revision, items }: Applied): Acknowledgement[] {
  const made = new Set(items.filter(({ op }) => MADE.has(op)).map(({ name }) => name));
  return sent
    .filter(({ name }) => made.has(String(name)))
    .map((fields) => ({ revision, name: String(fields['name']), op: 'put', fields }));
}

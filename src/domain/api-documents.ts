import type { DocumentEdit } from './command.ts';
import type { Refusal } from './errors.ts';
import type { AnyItem } from './item.ts';

/** Why a version does not get the document, or does not lose it; `undefined` when nothing is in the way. */
export function whyNotDocumented(before: AnyItem | undefined, edit: DocumentEdit): Refusal | undefined {
  const { name, document, expect } = edit;
  if (before?.kind !== 'version') return { code: 'not-found', detail: `${name} is not an API version` };
  const has = before.value.document?.sha256;
  if (expect !== undefined && !isAsExpected(has, expect)) {
    const stands = has === undefined ? 'has no document' : `has the document ${has}`;
    return { code: 'precondition-failed', detail: `${name} ${stands}, which is not what the request expects` };
  }
  if (document === undefined && has === undefined) return { code: 'not-found', detail: `${name} has no document` };
  return undefined;
}

function isAsExpected(has: string | undefined, expect: string): boolean {
  if (expect === 'absent') return has === undefined;
  return has !== undefined && (expect === '*' || expect === has);
}

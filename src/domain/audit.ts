/** What sort of thing an audit entry tells of. */
export const AUDIT_CATEGORIES = ['change', 'refusal', 'login', 'operation'] as const;

export type AuditCategory = (typeof AUDIT_CATEGORIES)[number];

/** Who did what to what, from where, and what came of it (SEC5). Never holds a secret or a token. */
export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly category: AuditCategory;
  /** As the identity provider names them. */
  readonly subject: string;
  /** The name of the service account that the subject is, and its project. */
  readonly account?: string;
  readonly project?: string;
  /** One of the actions of docs/access.md, or what a login or an operation is called. */
  readonly action: string;
  /** The name of a resource. */
  readonly target?: string;
  /** The service that it is about; its owners may read the entry. */
  readonly service?: string;
  /** The revisions of the target before and after; of what was deleted, `after` is the revision that deleted it. */
  readonly before?: number;
  readonly after?: number;
  /** `created`, `updated`, `deleted`, `ok`, or the code of the problem that refused it. */
  readonly result: string;
  /** Of the peer. */
  readonly address?: string;
  readonly requestId?: string;
  /** One sentence. */
  readonly detail?: string;
}

/** Takes what is not part of a commit: refusals, logins, operations. It never fails the one who tells it. */
export interface AuditTrail {
  note(entry: Omit<AuditEntry, 'at'>): void;
}

/** What entries have to be like: all that is there has to hold. Texts are compared whole. */
export interface AuditFilter extends Partial<
  Pick<AuditEntry, 'category' | 'subject' | 'account' | 'project' | 'action' | 'target' | 'result'>
> {
  /** Entries about one of these services, and none that is about no service. */
  readonly services?: readonly string[];
  /** Milliseconds since 1970, inclusive. */
  readonly from?: number;
  /** Milliseconds since 1970, exclusive. */
  readonly to?: number;
}

/**
 * Up to where entries were read: those of the millisecond `at` but for the first `given` of them, and all before it.
 * It is made of what its reader has been given alone; the number of an entry would tell how many others there are.
 */
export interface AuditCursor {
  readonly at: number;
  readonly given: number;
}

/** Where to go on after a page that was read from `before` on; `undefined` when there was nothing on it. */
export function cursorAfter(page: readonly AuditEntry[], before: AuditCursor | undefined): AuditCursor | undefined {
  const at = page.at(-1)?.at;
  if (at === undefined) return undefined;
  const ofIt = page.filter((entry) => entry.at === at).length;
  return { at, given: ofIt + (before?.at === at ? before.given : 0) };
}

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
  /** The revisions of the target before and after. */
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

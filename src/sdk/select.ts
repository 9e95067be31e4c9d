import type { Kind } from '../domain/resources.ts';

/** What is watched: a kind, and filters, all of which have to hold. What has no such facet does not match (openapi/PUSH.md). */
export interface Select {
  /** Such as `instance`, `service`, `deployment`; `*` is all kinds. */
  readonly kind: Kind | '*';
  /** Only these services, by id, and what belongs to one of them. 1 to 100, as in every list here. */
  readonly services?: readonly string[];
  /** Only these regions, and what is in one of them. */
  readonly regions?: readonly string[];
  /** Only what carries each of these labels with exactly this value. 1 to 16. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Only instances of one of these environments; the empty text is for those that name none. */
  readonly environments?: readonly string[];
  /** Only instances that speak one of these protocols. */
  readonly protocols?: readonly string[];
  /** Only instances of one of these versions. */
  readonly versions?: readonly string[];
  /** Only instances that carry each of these tags with exactly this value. 1 to 16. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Only instances that can be called now, or that cannot. */
  readonly passing?: boolean;
}

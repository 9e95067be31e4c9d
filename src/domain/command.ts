import type { FieldError, Refusal, Warning } from './errors.ts';
import type { AnyItem, Change } from './item.ts';
import type { InstanceEdit } from './instances/edits.ts';
import type { Kind, Labels } from './resources.ts';

/** Who acts. In development mode an administrator, who may name the project and creator of a service (CAT2). */
export type Caller =
  | { readonly kind: 'administrator'; readonly subject: string }
  | { readonly kind: 'serviceAccount'; readonly subject: string; readonly account: string }
  /** Signalbox itself: what its health checks find. */
  | { readonly kind: 'signalbox'; readonly subject: string };

/** One wish. Several make one command: its final state is judged, and it is one revision or none. */
export type Edit =
  | { readonly op: 'put'; readonly name: string; readonly value: unknown }
  /** RFC 7396. */
  | { readonly op: 'patch'; readonly name: string; readonly patch: unknown }
  | { readonly op: 'delete'; readonly name: string };

export interface CatalogCommand {
  readonly caller: Caller;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly edits: readonly Edit[];
  /** Deletes what carries these labels and is not among the edits. */
  readonly prune?: Labels;
  /** Held against the first edit's resource: its revision, `*` for any that exists, `absent` for none. */
  readonly expect?: number | '*' | 'absent';
}

/** What happens to what runs. Edits that no longer apply change nothing; the others still do. */
export interface InstanceCommand {
  readonly caller: Caller;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly instances: readonly InstanceEdit[];
}

export type Command = CatalogCommand | InstanceCommand;

/** What became of one resource. */
export interface Outcome {
  readonly name: string;
  readonly op: 'created' | 'updated' | 'unchanged' | 'deleted';
  readonly before: AnyItem | undefined;
  readonly after: AnyItem | undefined;
}

export type Decision =
  | {
      readonly ok: true;
      /** Empty when nothing changes: then there is no revision (REV3). */
      readonly changes: readonly Change[];
      /** In order of the edits, then of what followed from them. */
      readonly outcomes: readonly Outcome[];
      readonly warnings: readonly Warning[];
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** The schema check of the protocol, given to the domain so that it needs to import nothing. */
export type Validate = (kind: Kind, value: unknown) => readonly FieldError[];

import type { FieldError, Refusal, Warning } from './errors.ts';
import type { AnyItem, Change } from './item.ts';
import type { InstanceEdit } from './instances/edits.ts';
import type { ProjectLimits } from './quota.ts';
import type { ApiDocument, Kind, Labels } from './resources.ts';
import type { Traceparent } from './trace.ts';
import type { Reader } from './view.ts';
import type { Sight } from './visibility.ts';

/** The services that a token makes its bearer an owner of. */
export interface Owned {
  readonly apiIds: readonly string[];
  /** Service ids. */
  readonly services: readonly string[];
  /** Groups that the bearer is in; those of services that list one of them among their `owners`. */
  readonly groups: readonly string[];
}

/** Who acts. */
export type Caller =
  /** May name the project and the creator of a service (CAT2). */
  | { readonly kind: 'administrator'; readonly subject: string }
  /** `account` is the name of the resource, which says the project too. */
  | {
      readonly kind: 'serviceAccount';
      readonly subject: string;
      readonly account: string;
      readonly owns?: Owned;
      readonly monitor?: true;
    }
  /** Whoever else a token is of. */
  | {
      readonly kind: 'person';
      readonly subject: string;
      readonly reader: boolean;
      readonly owns: Owned;
      readonly monitor?: true;
    }
  /** A registration token: it opens one service, to register and renew its instances. */
  | { readonly kind: 'registrar'; readonly subject: string; readonly service: string }
  /** Signalbox itself: what its health checks find. */
  | { readonly kind: 'signalbox'; readonly subject: string };

/** What is wished of a resource as its owner writes it. */
export type ResourceEdit =
  | { readonly op: 'put'; readonly name: string; readonly value: unknown }
  /** RFC 7396. */
  | { readonly op: 'patch'; readonly name: string; readonly patch: unknown }
  | { readonly op: 'delete'; readonly name: string };

/** The version that is named gets an API document, another one, or none any more. */
export interface DocumentEdit {
  readonly op: 'document';
  readonly name: string;
  readonly document: ApiDocument | undefined;
  /** The SHA-256 of the document that it has to have now, `*` for any, `absent` for none. */
  readonly expect?: string;
}

/** One wish. Several make one command: its final state is judged, and it is one revision or none. */
export type Edit = ResourceEdit | DocumentEdit;

/** What a command would do to one resource. */
export interface Wish {
  readonly action: 'catalog.write' | 'catalog.delete' | 'instance.register' | 'instance.override';
  readonly name: string;
  /** The service that it is about, where the name does not say it. */
  readonly service?: string;
}

/** Why the caller may not do these things together, in a sentence; `undefined` when they may. */
export type Permit = (state: Reader, wishes: readonly Wish[]) => string | undefined;

/** Where a command came from, as the audit names it. */
export interface Origin {
  /** Of the peer. */
  readonly address?: string;
  readonly requestId?: string;
}

interface Asked {
  readonly caller: Caller;
  readonly origin?: Origin;
  /** What follows from the command is told under it; only of those that are traced. */
  readonly trace?: Traceparent;
  /**
   * Asked about the very state that the command is decided on, so that nobody else's change comes in between. Without it
   * everything is permitted.
   */
  readonly permit?: Permit;
  /** What the caller may see; the rest is judged by, but never told of (SEC3). Without it, everything. */
  readonly sight?: Sight;
  /** What projects may hold after it; without them, anything. */
  readonly limits?: ProjectLimits;
}

export interface CatalogCommand extends Asked {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly edits: readonly Edit[];
  /** Deletes what carries these labels and is not among the edits. */
  readonly prune?: Labels;
  /** Held against the first edit's resource: its revision, `*` for any that exists, `absent` for none. */
  readonly expect?: number | '*' | 'absent';
}

/** What happens to what runs. Edits that no longer apply change nothing; the others still do. */
export interface InstanceCommand extends Asked {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly instances: readonly InstanceEdit[];
  /**
   * The term of the membership that a decision of the health checks was made under: it is committed while that term stands,
   * and otherwise not at all. Whoever else decides gives none.
   */
  readonly fence?: number;
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
      /** What became of resources that the caller may not see: for the audit, and for nobody else. */
      readonly untold: readonly Outcome[];
      readonly warnings: readonly Warning[];
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** The schema check of the protocol, given to the domain so that it needs to import nothing. */
export type Validate = (kind: Kind, value: unknown) => readonly FieldError[];

import { partsOf } from './names.ts';
import type { RuntimeFacets } from './instances/instance.ts';
import type { Kind, Labels, Value, ValueOf } from './resources.ts';
import type { Audience } from './visibility.ts';

/**
 * A resource as the view holds it. Items are immutable: a change puts a new item in the old one's place, so that a
 * snapshot is a list of references. `json` is the one encoding of `value`; every answer and frame is made of it.
 */
export interface Item<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  /** The id in the last part of the name. */
  readonly id: string;
  /** The id of the service or project above it; for a top-level resource its own id. */
  readonly parent: string;
  readonly revision: number;
  readonly value: ValueOf[K];
  readonly json: string;
}

export type AnyItem = { [K in Kind]: Item<K> }[Kind];

/**
 * One key's change within a revision.
 * `was` holds the labels before the change, and `facets` what else selectors look at in a resource of a runtime kind:
 * wherever either differs from what it is after the change, and always on a delete. They let a selector tell, from the
 * log alone, that an item has stopped matching.
 * `audience` is who may see it; of a delete, who could see what is gone.
 */
export type Change =
  | {
      readonly op: 'put';
      readonly item: AnyItem;
      readonly was?: Labels;
      readonly facets?: RuntimeFacets;
      readonly audience?: Audience;
      /** Who could see it before, where those were others; `null` for everyone. */
      readonly audienceBefore?: Audience | null;
    }
  | {
      readonly op: 'delete';
      readonly kind: Kind;
      readonly name: string;
      readonly was: Labels;
      readonly facets?: RuntimeFacets;
      readonly audience?: Audience;
    };

/** One accepted command in the log (REV1). */
export interface Entry {
  readonly revision: number;
  /** Milliseconds since 1970, for people and for trimming; order is by revision alone. */
  readonly at: number;
  /** Who made the change, as the audit names them. */
  readonly author: string;
  readonly changes: readonly Change[];
}

export function makeItem(value: Value, json = JSON.stringify(value)): AnyItem {
  const { kind, id, parent } = partsOf(value.name);
  return { kind, name: value.name, id, parent: parent ?? id, revision: value.revision, value, json } as AnyItem;
}

export const changeName = (change: Change): string => (change.op === 'put' ? change.item.name : change.name);
export const changeKind = (change: Change): Kind => (change.op === 'put' ? change.item.kind : change.kind);

const NO_LABELS: Labels = Object.freeze({});

/** The labels of a resource; the tags of an instance are that. */
export function labelsOf({ kind, value }: AnyItem): Labels {
  switch (kind) {
    case 'instance':
      return value.tags;
    case 'override':
    case 'advisory':
      return NO_LABELS;
    default:
      return value.labels;
  }
}

/** A place in one history. Restoring a database starts a new epoch, so positions of two histories never compare (REV4). */
export interface Position {
  readonly epoch: string;
  readonly revision: number;
}

/** The head of the log. The log holds every revision above `trimmed`, up to `revision`. */
export interface Head extends Position {
  readonly trimmed: number;
}

export type ResetReason = 'epoch' | 'future' | 'trimmed';

export type Since =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'changes'; readonly from: number }
  | { readonly kind: 'startOver'; readonly reason: ResetReason };

/** What a reader at `position` has to do to reach `head`: nothing, read the changes above `from`, or start over. */
export function since(head: Head, position: Position): Since {
  if (position.epoch !== head.epoch) return { kind: 'startOver', reason: 'epoch' };
  if (position.revision > head.revision) return { kind: 'startOver', reason: 'future' };
  if (position.revision < head.trimmed) return { kind: 'startOver', reason: 'trimmed' };
  if (position.revision === head.revision) return { kind: 'nothing' };
  return { kind: 'changes', from: position.revision };
}

/**
 * Whether nothing can be said of the position from `head` alone: it may be of a node that is further in the log, or that
 * knows of a newer epoch already.
 */
export const isElsewhere = (head: Position, position: Position): boolean =>
  position.epoch !== head.epoch || position.revision > head.revision;

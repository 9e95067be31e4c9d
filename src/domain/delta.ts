import type { AnyItem } from './item.ts';
import type { Reader } from './view.ts';

/** One resource that a command changes: at least one of the two is there. */
export interface Touch {
  readonly name: string;
  readonly before: AnyItem | undefined;
  readonly after: AnyItem | undefined;
}

/** A change that is being judged: the state before it, the final state, and what differs. */
export interface Delta {
  readonly before: Reader;
  readonly after: Reader;
  readonly touches: ReadonlyMap<string, Touch>;
}

import type { Violation } from './errors.ts';

/** A violation before its fix, with the name of the other resource that it is about, where there is one. */
export interface Finding {
  readonly violation: Violation;
  readonly about?: string;
  /** The names of all else that its message speaks of. */
  readonly mentions?: readonly string[];
}

/** What has to be done by a time. It is a member of one list, whose links it carries, so that waiting for it costs next to nothing. */
export abstract class Timed {
  /** Of the monotonic clock, in milliseconds. */
  abstract readonly until: number;
  before: Timed | undefined;
  after: Timed | undefined;

  /** Called once when its time is over, unless it was removed. */
  abstract timeOut(): void;
}

/**
 * Deadlines of things that nearly all end long before. Node's own timers cost each call as much as all else that is done for it
 * here; those that have the same time come to their end in the order in which they began, and need one timer together.
 */
export class Deadlines {
  readonly #now: () => number;
  /** By how long it lasts. */
  readonly #lists = new Map<number, List>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Its `until` is so many milliseconds from now. */
  add(timed: Timed, ms: number): void {
    let list = this.#lists.get(ms);
    if (list === undefined) {
      list = { first: undefined, last: undefined };
      this.#lists.set(ms, list);
      this.#arm(list, ms, ms);
    }
    timed.before = list.last;
    if (list.last === undefined) list.first = timed;
    else list.last.after = timed;
    list.last = timed;
  }

  remove(timed: Timed, ms: number): void {
    const list = this.#lists.get(ms);
    if (list === undefined || (timed.before === undefined && list.first !== timed)) return;
    if (timed.before === undefined) list.first = timed.after;
    else timed.before.after = timed.after;
    if (timed.after === undefined) list.last = timed.before;
    else timed.after.before = timed.before;
    timed.before = undefined;
    timed.after = undefined;
  }

  /** The timer goes on by itself when what it was set for has ended early. Connections keep the process alive, not timers. */
  #arm(list: List, ms: number, delayMs: number): void {
    setTimeout(() => this.#elapsed(list, ms), Math.min(delayMs, LONGEST_MS)).unref();
  }

  #elapsed(list: List, ms: number): void {
    const now = this.#now();
    for (let first = list.first; first !== undefined && first.until <= now; first = list.first) {
      this.remove(first, ms);
      first.timeOut();
    }
    if (list.first === undefined) this.#lists.delete(ms);
    else this.#arm(list, ms, Math.max(1, Math.ceil(list.first.until - now)));
  }
}

/** Node's timers take no longer time. */
const LONGEST_MS = 2 ** 31 - 1;

interface List {
  first: Timed | undefined;
  last: Timed | undefined;
}

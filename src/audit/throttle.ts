import type { AuditEntry } from '../domain/audit.ts';

export interface ThrottleLimits {
  /** Entries of one sort that a window takes; the rest are counted. */
  readonly perWindow: number;
  readonly windowMs: number;
  /** Sorts that are told apart at one time; beyond them all others are one. */
  readonly maxSorts: number;
}

interface Sort {
  /** Monotonic milliseconds. */
  readonly since: number;
  taken: number;
  /** How many were not taken. */
  more: number;
  /** The last of them, with what they had in common. */
  last: AuditEntry | undefined;
}

/**
 * Bounds what a flood of refusals writes: of entries that are alike (address, subject, action and result), a window takes
 * the first few, and the rest become one entry that says how many they were.
 */
export class Throttle {
  readonly #limits: ThrottleLimits;
  readonly #sorts = new Map<string, Sort>();

  constructor(limits: ThrottleLimits) {
    this.#limits = limits;
  }

  /** Whether the entry is to be written; otherwise it is counted. `now`: monotonic milliseconds. */
  takes(entry: AuditEntry, now: number): boolean {
    const sort = this.#sortOf(entry, now);
    if (sort.taken < this.#limits.perWindow) {
      sort.taken += 1;
      return true;
    }
    sort.more += 1;
    sort.last = sort.last === undefined ? entry : inCommon(sort.last, entry);
    return false;
  }

  /** Ends the windows that are over, or all of them, and answers what is to be said of those that were full. */
  summaries(now: number, { all = false } = {}): AuditEntry[] {
    const found: AuditEntry[] = [];
    for (const [key, { since, more, last }] of this.#sorts) {
      if (!all && now - since < this.#limits.windowMs) continue;
      this.#sorts.delete(key);
      if (last !== undefined) found.push({ ...last, detail: moreLikeThis(more, this.#limits.windowMs) });
    }
    return found;
  }

  #sortOf(entry: AuditEntry, now: number): Sort {
    const { address, subject, action, result } = entry;
    const own = JSON.stringify([address, subject, action, result]);
    const key = this.#sorts.has(own) || this.#sorts.size < this.#limits.maxSorts ? own : OTHERS;
    let sort = this.#sorts.get(key);
    if (sort === undefined) this.#sorts.set(key, (sort = { since: now, taken: 0, more: 0, last: undefined }));
    return sort;
  }
}

/** Not the JSON of any list. */
const OTHERS = '';

const moreLikeThis = (count: number, windowMs: number): string => {
  const within = windowMs === 60_000 ? 'minute' : `${windowMs / 1000} seconds`;
  return `and ${count.toLocaleString('en')} more like this in the last ${within}`;
};

/** What a summary may say of several is what holds for each. */
function inCommon(before: AuditEntry, { at, category, subject, action, result, ...rest }: AuditEntry): AuditEntry {
  const { account, project, target, service, address } = rest;
  const same: Partial<AuditEntry> = {
    ...(account !== undefined && account === before.account && { account }),
    ...(project !== undefined && project === before.project && { project }),
    ...(target !== undefined && target === before.target && { target }),
    ...(service !== undefined && service === before.service && { service }),
    ...(address !== undefined && address === before.address && { address }),
  };
  return {
    at,
    category,
    subject: subject === before.subject ? subject : SEVERAL,
    action: action === before.action ? action : SEVERAL,
    result: result === before.result ? result : SEVERAL,
    ...same,
  };
}

const SEVERAL = 'several';

import { CLAIM_SHARE } from '../domain/membership.ts';
import type { Claims } from './claims.ts';

/** From when on what comes to this node may have been left out by whoever had it before. */
export interface Gap {
  /** Of the shared clock. */
  readonly from: number;
  /** A node died: checks that it had under way then have come to nothing. */
  readonly isDeath: boolean;
  /** Until when somebody certainly decided about it; monotonic milliseconds. */
  readonly decidedUntil: number;
}

export interface ClaimsWatchDeps {
  readonly claims: Claims;
  /** A node that was not heard of for so long counts as dead. */
  readonly timeoutMs: number;
}

/** Who has looked so lately has not been held up. */
const SOON_MS = 1000;

/** Keeps what the claims were when this node last looked, so that it sees what has become of them. */
export class ClaimsWatch {
  readonly #deps: ClaimsWatchDeps;
  #stood = false;
  #leasesRan = true;
  #fence: number | undefined;
  /** Of the shared clock. */
  #lookedAt = Number.POSITIVE_INFINITY;
  /** Of the shared clock: it stopped in order, and what was due until then is its own. */
  #actedUntil = Number.NEGATIVE_INFINITY;
  #stoppedAt = Number.POSITIVE_INFINITY;

  constructor(deps: ClaimsWatchDeps) {
    this.#deps = deps;
  }

  /** Whether time alone has changed them. */
  get isPast(): boolean {
    const { claims } = this.#deps;
    return claims.stands !== this.#stood || claims.leasesRun !== this.#leasesRan;
  }

  /** Takes in what they are now. `resumes`: leases did not run, and run again. */
  look(now: number): { readonly gap: Gap; readonly resumes: boolean } {
    const { claims } = this.#deps;
    const { stands, leasesRun, leasesRunSince, fence, sharedNow } = claims;
    // Of a membership in between, in which they may not have run, nobody here has heard.
    const skipped = fence !== undefined && this.#fence !== undefined && fence > this.#fence + 1;
    const resumes = leasesRun && (!this.#leasesRan || (skipped && leasesRunSince === undefined));
    const gap = this.#gap(now, sharedNow);
    if (this.#stood && !stands) this.#actedUntil = sharedNow - this.#lookedAt < SOON_MS ? sharedNow : -Infinity;
    if (this.#stood && !stands) this.#stoppedAt = Math.min(this.#lookedAt, sharedNow);
    if (stands) this.#stoppedAt = Number.POSITIVE_INFINITY;
    this.#stood = stands;
    this.#leasesRan = leasesRun;
    this.#fence = fence;
    this.#lookedAt = sharedNow;
    return { gap, resumes };
  }

  /** Whether a slot that was due was for this node to do, although another may be in charge now. */
  wasOurs(group: string, slot: number): boolean {
    const { claims } = this.#deps;
    return claims.stands ? claims.ownsSlot(group, slot) : slot <= this.#actedUntil;
  }

  /** It was still in charge. */
  touch(): void {
    if (this.#stood) this.#lookedAt = this.#deps.claims.sharedNow;
  }

  #gap(now: number, sharedNow: number): Gap {
    const { claims, timeoutMs } = this.#deps;
    const { fence, gapFrom, undecidedFrom = gapFrom, awakeSince } = claims;
    // This node alone was held up, and nobody else had its share meanwhile.
    const isSame = fence === this.#fence && this.#stoppedAt !== Number.POSITIVE_INFINITY;
    // Of a membership in between nobody here has heard, nor of whom it lost: they were heard shortly before this node last was.
    const skipped = fence !== undefined && this.#fence !== undefined && fence > this.#fence + 1;
    const lostAt = isSame ? this.#stoppedAt : skipped ? Math.min(gapFrom, this.#lookedAt - 2 * timeoutMs) : gapFrom;
    // What was due while nobody was there is not made up for: that was an absence, after which everything begins anew.
    const from = Math.max(awakeSince, Math.min(lostAt, this.#stoppedAt));
    const isDeath = !isSame && lostAt > awakeSince && sharedNow - lostAt >= timeoutMs;
    // Who hears of somebody that joins decides no more about what is to go, until it goes.
    const undecided = Math.min(lostAt, undecidedFrom);
    return { from, isDeath, decidedUntil: now - (sharedNow - undecided) - timeoutMs * CLAIM_SHARE };
  }
}

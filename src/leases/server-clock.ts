/** Clocks drift, and requests take their time; a difference that changes by more than this was made by somebody. */
const MAX_STEP_MS = 1000;
/** An answer that was under way for longer says too little of the other clock to be compared with later ones. */
const PRECISE_MS = 500;

/** Another machine's clock, against one here that nobody sets. */
export class ServerClock {
  /** Its lead over the clock here lies between these. */
  #least = -Infinity;
  #most = Infinity;

  /** Whether it was set since the last time, given what it showed at some moment between two. */
  wasSet(shown: number, from: number, to: number): boolean {
    const least = shown - to;
    const most = shown - from;
    const wasSet = least > this.#most + MAX_STEP_MS || most < this.#least - MAX_STEP_MS;
    if (wasSet || to - from < PRECISE_MS) {
      this.#least = least;
      this.#most = most;
    }
    return wasSet;
  }

  /** Another machine's clock from here on. */
  forget(): void {
    this.#least = -Infinity;
    this.#most = Infinity;
  }
}

/** A clock with timers, so that tests can turn it themselves. */
export interface Time {
  /** Monotonic milliseconds. */
  now(): number;
  /** Calls back once after so many milliseconds, never after Infinity; answers how to call that off. */
  after(ms: number, then: () => void): () => void;
}

/** A timer of the platform that is longer ends at once. */
export const LONGEST_MS = 2 ** 31 - 1;

export const realTime: Time = {
  now: () => performance.now(),
  after(ms, then) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const arm = (left: number): void => {
      if (left === Infinity) return;
      timer = left > LONGEST_MS ? setTimeout(() => arm(left - LONGEST_MS), LONGEST_MS) : setTimeout(then, left);
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};

/** A clock with timers, so that tests can turn it themselves. */
export interface Time {
  /** Monotonic milliseconds. */
  now(): number;
  /** Calls back once after so many milliseconds; answers how to call that off. */
  after(ms: number, then: () => void): () => void;
}

export const realTime: Time = {
  now: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

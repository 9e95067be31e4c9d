/** Waiting, so that tests can bring a clock of their own. */
export interface Timers {
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** Calls back once after so many milliseconds; answers how to stop that. It keeps no process alive. */
  readonly after: (ms: number, run: () => void) => () => void;
}

export const REAL_TIMERS: Timers = {
  wall: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/**
 * Runs a job again and again with a pause between the end of one run and the start of the next; never two at once. A run
 * that fails is told to `onError`, and the next one comes all the same.
 */
export function every(
  pauseMs: number,
  job: () => Promise<void> | void,
  onError: (error: unknown) => void,
): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      running = (async () => {
        await job();
      })()
        .catch(onError)
        .finally(schedule);
    }, pauseMs);
  };
  schedule();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      return running;
    },
  };
}

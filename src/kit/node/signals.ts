const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

type Source = Pick<NodeJS.Process, 'once' | 'off'>;

/** Calls back at the first signal to end; a second one ends the process as if nobody listened. Answers how to stop listening. */
export function onEndSignal(run: (signal: NodeJS.Signals) => void, source: Source = process): () => void {
  const stop = (): void => {
    for (const signal of SIGNALS) source.off(signal, heard);
  };
  const heard = (signal: NodeJS.Signals): void => {
    stop();
    run(signal);
  };
  for (const signal of SIGNALS) source.once(signal, heard);
  return stop;
}

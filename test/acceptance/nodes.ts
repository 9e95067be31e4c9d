import { startSignalbox, type Signalbox, type StartOptions } from '../support/signalbox.ts';

/** Starts a node and gives it the time that a busy machine takes. */
export const startNode = (
  env: Readonly<Record<string, string>>,
  options: Omit<StartOptions, 'env'> = {},
): Promise<Signalbox> => startSignalbox({ readyWithin: 120_000, ...options, env });

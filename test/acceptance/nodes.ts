import { afterAll } from '@jest/globals';
import { spawnSignalbox, startSignalbox, type Signalbox, type StartOptions } from '../support/signalbox.ts';

const started = new Set<Promise<Signalbox>>();

// A test that fails leaves its nodes behind, and a child that runs would keep the whole run from ending.
afterAll(async () => {
  for (const start of started) {
    const node = await start.catch(() => undefined);
    await node?.stop('SIGKILL');
  }
});

function keep(node: Promise<Signalbox>): Promise<Signalbox> {
  started.add(node);
  return node;
}

/** Starts a node and gives it the time that a busy machine takes. */
export const startNode = (
  env: Readonly<Record<string, string>>,
  options: Omit<StartOptions, 'env'> = {},
): Promise<Signalbox> => keep(startSignalbox({ readyWithin: 120_000, ...options, env }));

/** Starts a node that may well not get ready. */
export const spawnNode = (options: StartOptions): Promise<Signalbox> => keep(spawnSignalbox(options));

import { call, type Answer } from '../support/signalbox.ts';

/** A request that may well be lost on its way: whoever gets no answer in this time goes on without one. */
const PATIENCE_MS = 4000;

/** Answers nothing when no whole answer came. */
export async function ask(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  patienceMs = PATIENCE_MS,
): Promise<Answer | undefined> {
  return call(url, method, path, body, {}, patienceMs).catch(() => undefined);
}

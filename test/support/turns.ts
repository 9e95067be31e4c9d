import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Lets what is under way in this process come to its end, where nothing waits for a clock or a peer: a batch, a fold and
 * a flush take a turn of the event loop each. A short sleep is no such thing: on a busy machine it may end before any turn.
 */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
}

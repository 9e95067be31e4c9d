import { setTimeout as sleep } from 'node:timers/promises';
import { isNotNow } from '../../acceptance/not-now.ts';
import type { Random } from '../../support/random.ts';
import type { Answer } from '../../support/signalbox.ts';
import { ask } from '../ask.ts';
import type { Write } from '../record.ts';
import type { Door } from '../subscriber.ts';

/** By the time a name comes again, nothing that was ever asked of it can still be under way. */
const NAMES = 300;
const ATTEMPTS = 4;
const PAUSE_MS = 60;

/**
 * Writes what can be told apart from every other write, at any node, and remembers what it was answered. What nobody knows
 * the outcome of it sends again, at another node.
 */
export class MarkWriter {
  readonly writes: Write[] = [];
  /** Answers that no client should get. */
  readonly odd: Answer[] = [];
  readonly #doors: readonly Door[];
  readonly #random: Random;
  readonly #name: string;
  #n = 0;

  constructor(name: string, doors: readonly Door[], random: Random) {
    this.#name = name;
    this.#doors = doors;
    this.#random = random;
  }

  async work(goOn: () => boolean): Promise<void> {
    while (goOn()) {
      await this.write();
      await sleep(this.#random.below(2 * PAUSE_MS));
    }
  }

  async write(): Promise<void> {
    const n = (this.#n += 1);
    const name = `regions/${this.#name}-${n % NAMES}`;
    const mark = `${this.#name} ${n}`;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const outcome = await this.#attempt(name, mark);
      if (outcome === 'acknowledged') return;
      await sleep(50 + this.#random.below(100));
    }
  }

  async #attempt(name: string, mark: string): Promise<Write['outcome']> {
    const { name: node, url } = this.#random.pick(this.#doors);
    const sentAt = performance.now();
    const answer = await ask(url, 'PUT', `/v1/${name}`, { title: mark });
    const outcome = outcomeOf(answer);
    if (outcome === undefined) this.odd.push(answer as Answer);
    const revision = Number(answer?.headers.get('etag')?.replaceAll('"', ''));
    this.writes.push({
      node,
      name,
      mark,
      sentAt,
      answeredAt: performance.now(),
      outcome: outcome ?? 'unknown',
      ...(outcome === 'acknowledged' && { revision }),
    });
    return outcome ?? 'unknown';
  }
}

/** `undefined`: there is no such answer to a write that is in order. */
export function outcomeOf(answer: Pick<Answer, 'status' | 'body'> | undefined): Write['outcome'] | undefined {
  if (answer === undefined) return 'unknown';
  if (answer.status === 200 || answer.status === 201) return 'acknowledged';
  if (!isNotNow(answer)) return undefined;
  return answer.body?.type === '/problems/outcome-unknown' ? 'unknown' : 'refused';
}

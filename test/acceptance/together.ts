import { test } from '@jest/globals';

/**
 * Tests that mostly wait, and do not get in each other's way: all begin when the first of them does, and each is reported by itself.
 * They stand one after the other in a file, and what is to be ended after each test waits while any of them is under way.
 */
export class Together {
  readonly #timeoutMs: number;
  readonly #runs = new Map<string, () => Promise<void>>();
  readonly #begun = new Map<string, Promise<unknown>>();
  #left = 0;

  /** `timeoutMs`: for all of them. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get isUnderWay(): boolean {
    return this.#left > 0;
  }

  test(name: string, run: () => Promise<void>): void {
    this.#runs.set(name, run);
    test(
      name,
      async () => {
        if (this.#begun.size === 0) for (const [each, begin] of this.#runs) this.#begun.set(each, this.#begin(begin));
        const failure = await this.#begun.get(name);
        if (failure !== undefined) throw failure;
      },
      this.#timeoutMs,
    );
  }

  /** Resolves with what went wrong: whose turn it is not yet would be an unhandled rejection. */
  async #begin(run: () => Promise<void>): Promise<unknown> {
    this.#left += 1;
    try {
      await run();
      return undefined;
    } catch (error) {
      return error ?? new Error('it failed');
    } finally {
      this.#left -= 1;
    }
  }
}

import type { Token } from './http.ts';

const MIN_PAUSE_MS = 1000;
/** In what is left of the old token it is asked for so often. */
const ATTEMPTS = 10;

/** Waits for the token that takes another's place: whoever renews it may take until the last moment. */
export class FreshToken {
  readonly #token: Token;
  #timer: NodeJS.Timeout | undefined;

  constructor(token: Token) {
    this.#token = token;
  }

  /** Calls `onFresh` once there is another token than `old`, which is good for so many milliseconds. */
  await(old: string | undefined, expiresInMs: number, onFresh: (token: string) => void): void {
    this.stop();
    const again = (): void => {
      this.#timer = setTimeout(ask, Math.max(MIN_PAUSE_MS, expiresInMs / ATTEMPTS));
      this.#timer.unref();
    };
    const ask = (): void => {
      this.#now().then((token) => {
        if (token !== undefined && token !== old) onFresh(token);
        else again();
      }, again);
    };
    ask();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #now(): Promise<string | undefined> {
    return this.#token();
  }
}

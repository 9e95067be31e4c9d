import type { Time } from '../time.ts';

const MIN_PAUSE_MS = 1000;
/** In what is left of the old token it is asked for so often. */
const ATTEMPTS = 10;

export interface ReauthDeps {
  readonly time: Pick<Time, 'after'>;
  readonly token: () => Promise<string | undefined>;
  readonly send: (token: string) => void;
}

/**
 * Another token for the open link, asked for by the server before the old one ends: whoever renews it may take until the last
 * moment, and one that does not answer is asked again as well. A token that is not taken is as good as the old one.
 */
export class Reauth {
  readonly #deps: ReauthDeps;
  /** What the server was shown last over this link. */
  #shown: string | undefined;
  #round = 0;
  #expiresInMs = 0;
  #cancel: (() => void) | undefined;

  constructor(deps: ReauthDeps) {
    this.#deps = deps;
  }

  linked(token: string | undefined): void {
    this.stop();
    this.#shown = token;
  }

  wanted(expiresInMs: number): void {
    this.stop();
    this.#expiresInMs = expiresInMs;
    this.#ask(this.#round);
  }

  refused(): void {
    this.stop();
    this.#again(this.#round);
  }

  stop(): void {
    this.#round += 1;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #ask(round: number): void {
    this.#again(round);
    this.#deps.token().then(
      (token) => {
        if (round !== this.#round || token === undefined || token === this.#shown) return;
        this.stop();
        this.#shown = token;
        this.#deps.send(token);
      },
      // It is asked for again.
      () => {},
    );
  }

  #again(round: number): void {
    const pause = Math.max(MIN_PAUSE_MS, this.#expiresInMs / ATTEMPTS);
    this.#cancel = this.#deps.time.after(pause, () => this.#ask(round));
  }
}

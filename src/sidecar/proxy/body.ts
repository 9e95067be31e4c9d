import { Readable } from 'node:stream';

/**
 * A request's body for one attempt to send it. It reads nothing before it is read itself, so that an attempt that never got
 * through leaves the body whole for the next one; and when an attempt is given up, the caller's connection stays as it is,
 * since an answer goes over it.
 */
export class AttemptBody extends Readable {
  readonly #source: Readable;
  readonly #onStart: () => void;
  #started = false;

  constructor(source: Readable, onStart: () => void) {
    super();
    this.#source = source;
    this.#onStart = onStart;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.#source.pause();
  };
  readonly #onEnd = (): void => {
    this.push(null);
  };
  readonly #onGone = (): void => {
    if (!this.readableEnded && !this.#source.readableEnded) this.destroy(new Error('the caller went away'));
  };

  override _read(): void {
    if (!this.#started) {
      this.#started = true;
      this.#onStart();
      if (this.#source.readableEnded) return void this.push(null);
      if (this.#source.destroyed) return this.#onGone();
      this.#source.on('data', this.#onData);
      this.#source.on('end', this.#onEnd);
      this.#source.on('close', this.#onGone);
      this.#source.on('error', this.#onGone);
    }
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source.off('data', this.#onData);
    this.#source.off('end', this.#onEnd);
    this.#source.off('close', this.#onGone);
    done(error);
  }
}

/** A body for each attempt as long as nothing of it was read. */
export function bodyOf(source: Readable): () => Readable | undefined {
  let started = false;
  return () => (started ? undefined : new AttemptBody(source, () => (started = true)));
}

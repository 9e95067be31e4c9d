import { Readable } from 'node:stream';
import type { OutgoingBody } from '../ports.ts';

/** The body of a caller's request, which can be sent again as long as nothing of it was read. */
export class CallerBody implements OutgoingBody {
  movedAt = -Infinity;
  isAwaited = false;
  readonly #source: Readable;
  #wasRead = false;

  constructor(source: Readable) {
    this.#source = source;
  }

  get isWhole(): boolean {
    return !this.#wasRead;
  }

  attempt(): Readable {
    return new AttemptBody(this.#source, this);
  }

  /** Whoever sends it wants more. */
  asked(): void {
    this.#wasRead = true;
    this.isAwaited = true;
    this.movedAt = performance.now();
  }

  /** A part has come; `enough`: the next one is not wanted yet. */
  came(enough: boolean): void {
    this.isAwaited = !enough;
    this.movedAt = performance.now();
  }
}

/**
 * A request's body for one attempt to send it. It reads nothing before it is read itself, so that an attempt that never got
 * through leaves the body whole for the next one; and when an attempt is given up, the caller's connection stays as it is,
 * since an answer goes over it.
 */
class AttemptBody extends Readable {
  readonly #source: Readable;
  readonly #body: CallerBody;
  #started = false;

  constructor(source: Readable, body: CallerBody) {
    super();
    this.#source = source;
    this.#body = body;
  }

  readonly #onData = (chunk: Buffer): void => {
    const enough = !this.push(chunk);
    if (enough) this.#source.pause();
    this.#body.came(enough);
  };
  readonly #onEnd = (): void => {
    this.push(null);
    this.#body.came(true);
  };
  readonly #onGone = (): void => {
    if (!this.readableEnded && !this.#source.readableEnded) this.destroy(new Error('the caller went away'));
  };

  override _read(): void {
    this.#body.asked();
    if (!this.#started) {
      this.#started = true;
      if (this.#source.readableEnded) return this.#onEnd();
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

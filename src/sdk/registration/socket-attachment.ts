import { Listeners } from '../listeners.ts';
import type { Attachment } from './desk.ts';

/** Tells those who register of the socket that there is. */
export class SocketAttachment implements Attachment {
  readonly #listeners: Listeners<void>;
  #socket: number | undefined;

  constructor(onFault: (error: unknown) => void) {
    this.#listeners = new Listeners(onFault);
  }

  get socket(): number | undefined {
    return this.#socket;
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  set(socket: number | undefined): void {
    if (socket === this.#socket) return;
    this.#socket = socket;
    this.#listeners.tell();
  }
}

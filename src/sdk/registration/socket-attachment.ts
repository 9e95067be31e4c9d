import { Listeners } from '../listeners.ts';
import type { Attachment } from './desk.ts';

/** Tells those who register of the socket that there is. */
export class SocketAttachment implements Attachment {
  readonly #listeners: Listeners<void>;
  #socket: number | undefined;
  #heartbeatMs: number | undefined;

  constructor(onFault: (error: unknown) => void) {
    this.#listeners = new Listeners(onFault);
  }

  get socket(): number | undefined {
    return this.#socket;
  }

  get heartbeatMs(): number | undefined {
    return this.#heartbeatMs;
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  set(socket: number | undefined, heartbeatMs?: number): void {
    if (socket === this.#socket) return;
    this.#socket = socket;
    this.#heartbeatMs = heartbeatMs;
    this.#listeners.tell();
  }
}

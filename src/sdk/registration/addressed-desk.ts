import type { Time } from '../time.ts';
import type { Answer, Attempt, Desk, Registered } from './desk.ts';
import { messageOf } from './message-of.ts';
import { pause } from './pause.ts';

export interface AddressedDeskOptions {
  readonly desk: Desk;
  /** Where others reach this process. Rejects where that cannot be told now. */
  readonly find: () => Promise<string>;
  readonly time: Time;
}

/**
 * Registers where nobody has said under which address: it is looked for before each attempt until it is found, and kept from then on.
 * A process may start before there is a network.
 */
export class AddressedDesk implements Desk {
  readonly #options: AddressedDeskOptions;
  #address: string | undefined;

  constructor(options: AddressedDeskOptions) {
    this.#options = options;
  }

  get address(): string | undefined {
    return this.#address;
  }

  async register(registration: object, attempt: Attempt): Promise<Answer<Registered>> {
    const { desk, time } = this.#options;
    const beganAt = time.now();
    try {
      this.#address ??= await this.#found(attempt);
    } catch (error) {
      return { type: 'away', detail: messageOf(error) };
    }
    const timeoutMs = Math.max(1, attempt.timeoutMs - (time.now() - beganAt));
    return desk.register({ ...registration, address: this.#address }, { ...attempt, timeoutMs });
  }

  renew(registered: Registered, attempt: Attempt): Promise<Answer<void>> {
    return this.#options.desk.renew(registered, attempt);
  }

  deregister(registered: Registered, attempt: Attempt): Promise<Answer<void>> {
    return this.#options.desk.deregister(registered, attempt);
  }

  /** A name may be looked up for longer than an attempt takes. */
  async #found({ timeoutMs, signal }: Attempt): Promise<string> {
    const found = new AbortController();
    const stop = (): void => found.abort();
    signal.addEventListener('abort', stop);
    const late = async (): Promise<never> => {
      await pause(this.#options.time, timeoutMs, found.signal);
      throw new Error('Where others reach this process was not found out in time: give its address, or set POD_IP.');
    };
    try {
      return await Promise.race([this.#options.find(), late()]);
    } finally {
      stop();
      signal.removeEventListener('abort', stop);
    }
  }
}

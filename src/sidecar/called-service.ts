import type { Calls } from '../sdk/calling/dispatch.ts';
import type { DiscoveredService } from '../sdk/discovery/discovered-service.ts';
import type { Endpoint } from '../sdk/discovery/endpoint.ts';
import type { Downstream, Send } from './ports.ts';
import { sendThrough } from './proxy/send-through.ts';

/** A service of the client library, as the proxy calls it. */
export class CalledService implements Downstream {
  readonly id: string;
  readonly send: Send;
  ejections = 0;
  readonly #targets: Pick<DiscoveredService, 'state' | 'age' | 'endpointAt' | 'close'>;
  readonly #calls: Calls;
  readonly #onClose: () => void;

  constructor(targets: DiscoveredService, calls: Calls, onClose: () => void) {
    this.id = targets.service;
    this.send = sendThrough(calls);
    this.#targets = targets;
    this.#calls = calls;
    this.#onClose = onClose;
    targets.onEjected(() => {
      this.ejections += 1;
    });
  }

  get state(): Downstream['state'] {
    return this.#targets.state;
  }

  get age(): number {
    return this.#targets.age;
  }

  endpointAt(url: string): Endpoint | undefined {
    return this.#targets.endpointAt(url);
  }

  close(): void {
    this.#onClose();
  }

  /** Nobody calls it any more: ends once all calls are answered, also those that wait for a connection or for their next attempt. */
  async retire(): Promise<void> {
    await this.#calls.answered();
    await this.end();
  }

  /** Takes no more calls. Resolves when what is under way has ended, or was cut after `timeoutMs`. */
  end(timeoutMs = Infinity): Promise<void> {
    // First, so that what is under way is its own to cut.
    const closed = this.#calls.close({ timeoutMs });
    this.#targets.close();
    return closed;
  }
}

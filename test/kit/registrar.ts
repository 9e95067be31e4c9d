import type { RegisteredInstance } from '../../src/sdk/api.ts';
import { SignalboxError } from '../../src/sdk/errors.ts';
import type { RegisterOptions, Registration } from '../../src/sdk/registration/options.ts';
import type { Registrar } from '../../src/kit/index.ts';

/** Registers in memory, as `Client.register` promises to; what happens is written down in order. */
export class MemoryRegistrar implements Registrar {
  readonly happened: string[] = [];
  readonly registrations: Registration[] = [];
  options: RegisterOptions | undefined;
  /** Nobody answers. */
  away = false;
  /** Called while an instance is being deregistered. */
  onDeregister: () => Promise<unknown> = async () => {};
  /** Registering waits for it. */
  gate: Promise<unknown> = Promise.resolve();

  async close(): Promise<void> {
    this.happened.push('client closed');
  }

  async register(registration: Registration, options: RegisterOptions = {}): Promise<RegisteredInstance> {
    this.happened.push('register');
    this.registrations.push(registration);
    this.options = options;
    await Promise.race([this.gate, aborted(options.signal)]);
    if (options.signal?.aborted === true) throw new SignalboxError('stopped', 'told to stop');
    if (this.away && options.startOnRegistryFailure !== true)
      throw new SignalboxError('unreachable', 'Signalbox is not there');
    const { happened } = this;
    const telling = (): Promise<unknown> => this.onDeregister();
    let state: RegisteredInstance['state'] = this.away ? 'trying' : 'registered';
    if (!this.away) happened.push('registered');
    return {
      get state() {
        return state;
      },
      id: this.away ? undefined : 'i-1',
      generation: this.away ? undefined : 1,
      address: registration.address ?? '192.0.2.1',
      port: registration.port,
      on: () => () => {},
      async deregister() {
        happened.push('deregister');
        await telling();
        state = 'gone';
        happened.push('deregistered');
      },
    };
  }
}

const aborted = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((done) => signal?.addEventListener('abort', () => done(), { once: true }));

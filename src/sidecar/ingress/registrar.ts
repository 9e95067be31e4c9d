import type { Registration } from '../../sdk/registration/options.ts';
import type { Network, SidecarLog } from '../ports.ts';

type Kept = Awaited<ReturnType<Network['register']>>;

/** Registers the backend while it is healthy, one thing after the other. */
export class Registrar {
  readonly #network: Pick<Network, 'register'>;
  readonly #registration: Registration;
  readonly #log: SidecarLog;
  #wanted = false;
  #kept: Kept | undefined;
  #working: Promise<void> | undefined;

  constructor(network: Pick<Network, 'register'>, registration: Registration, log: SidecarLog) {
    this.#network = network;
    this.#registration = registration;
    this.#log = log;
  }

  get state(): 'registered' | 'trying' | 'gone' {
    return this.#kept?.state ?? 'gone';
  }

  /** Resolves once it is as wanted, as far as that depends on the sidecar. Never rejects. */
  set(wanted: boolean): Promise<void> {
    this.#wanted = wanted;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
    return this.#working;
  }

  async #work(): Promise<void> {
    while (this.#wanted !== (this.#kept !== undefined)) {
      if (this.#kept === undefined) {
        try {
          this.#kept = await this.#network.register(this.#registration);
          this.#kept.on('state', (state, why) => {
            this.#log.info(
              { service: this.#registration.service, state, why: why?.message },
              'the registration changed',
            );
          });
        } catch (error) {
          // With startOnRegistryFailure only what makes no sense is refused at once.
          this.#log.error({ err: error }, 'the backend cannot be registered');
          return;
        }
      } else {
        const kept = this.#kept;
        this.#kept = undefined;
        await kept.deregister();
        this.#log.info({ service: this.#registration.service }, 'the backend was deregistered');
      }
    }
  }
}

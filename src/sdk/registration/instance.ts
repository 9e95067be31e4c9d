import type { RegisteredInstance } from '../api.ts';
import type { SignalboxError } from '../errors.ts';
import { Listeners } from '../listeners.ts';
import type { RegistrationBody } from './body.ts';
import { Keeper, type About, type KeeperOptions } from './keeper.ts';
import type { Say } from './plan.ts';

export interface KeptInstanceOptions extends Pick<KeeperOptions, 'desk' | 'plan' | 'attachment' | 'time'> {
  readonly registration: RegistrationBody;
  /** Undefined while it is not known. */
  readonly address: () => string | undefined;
  /** A mistake: of this library, or of who listens. */
  readonly onFault: (error: unknown) => void;
}

type State = RegisteredInstance['state'];
type Said = About & { readonly say: Say };

/** An instance that is kept registered, as its owner sees it. */
export class KeptInstance implements RegisteredInstance {
  readonly #options: KeptInstanceOptions;
  readonly #keeper: Keeper;
  readonly #listeners: Listeners<{ readonly state: State; readonly why: SignalboxError | undefined }>;
  readonly #said: Listeners<Said>;
  #state: State = 'trying';

  constructor(options: KeptInstanceOptions) {
    this.#options = options;
    this.#listeners = new Listeners(options.onFault);
    this.#said = new Listeners(options.onFault);
    this.#keeper = new Keeper({
      ...options,
      onSay: (say, about) => this.#say(say, about),
      onFailure: options.onFault,
    });
  }

  get state(): State {
    return this.#state;
  }

  get id(): string | undefined {
    return this.#keeper.registered?.id;
  }

  get generation(): number | undefined {
    return this.#keeper.registered?.generation;
  }

  get address(): string | undefined {
    return this.#options.address();
  }

  get port(): number {
    return this.#options.registration.port;
  }

  start(): void {
    this.#keeper.start();
  }

  on(_event: 'state', listener: (state: State, why?: SignalboxError) => void): () => void {
    return this.#listeners.add(({ state, why }) => (why === undefined ? listener(state) : listener(state, why)));
  }

  /** Each thing that happens to it, once. */
  onSaid(listener: (said: Said) => void): () => void {
    return this.#said.add(listener);
  }

  async deregister(): Promise<void> {
    await this.#keeper.stop().catch(this.#options.onFault);
    this.#become('gone');
  }

  #say(say: Say, about: About): void {
    this.#said.tell({ say, ...about });
    if (say === 'registered' || say === 'registered-again' || say === 'back') this.#become('registered');
    else if (say === 'lost' || say === 'refused') this.#become('trying', about.error);
  }

  #become(state: State, why?: SignalboxError): void {
    if (this.#state === state || this.#state === 'gone') return;
    this.#state = state;
    this.#listeners.tell({ state, why });
  }
}

import { isLoopbackName } from './read-settings.ts';

const SESSION = 'signalbox';
const SIGN_IN = 'signalbox-login';

/** Where browsers reach Signalbox, and what follows from it. With PORT=0 it is known once the server listens. */
export class Site {
  #origin: string | undefined;
  #cookies: { readonly session: string; readonly signIn: string } | undefined;

  /** `https://signalbox.example.com`, without a path. */
  constructor(origin?: string) {
    this.#origin = origin;
  }

  /** What it listens on, for who has not said where it is reached. */
  listens(origin: string): void {
    this.#origin ??= origin;
  }

  get origin(): string {
    if (this.#origin === undefined) throw new Error('the address of the server is not known before it listens');
    return this.#origin;
  }

  get isSecure(): boolean {
    return this.origin.startsWith('https:');
  }

  get isLoopback(): boolean {
    return isLoopbackName(new URL(this.origin).hostname);
  }

  /** Of a session, and of a sign-in that is under way. */
  get cookies(): { readonly session: string; readonly signIn: string } {
    return (this.#cookies ??= { session: this.#cookie(SESSION), signIn: this.#cookie(SIGN_IN) });
  }

  /**
   * `__Host-` keeps other hosts of the domain from setting it; browsers take such names over TLS alone. Without TLS, which
   * is on this machine only, the port is in the name: cookies do not tell ports apart, so two servers would overwrite each
   * other's.
   */
  #cookie(name: string): string {
    if (this.isSecure) return `__Host-${name}`;
    return `${name}-${new URL(this.origin).port || '80'}`;
  }
}

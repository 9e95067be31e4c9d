import { isIP, isIPv6 } from 'node:net';
import type { ActiveCheck } from '../domain/instances/check.ts';
import type { Finding, Target } from './probe.ts';
import { critical, failureOf, type Failure } from './probe-finding.ts';

/** Who is looked at, at the address that was judged: nothing resolves it again. */
export interface Aim<C extends ActiveCheck = ActiveCheck> {
  readonly target: Target;
  readonly check: C;
  readonly ip: string;
  readonly port: number;
}

/**
 * One look at a target, which ends at the latest when its time is up. It may settle before it ends: what was found is
 * told as soon as it is certain, even while the rest of an answer is still read.
 */
export class Attempt {
  readonly finding: Promise<Finding>;
  readonly #timer: NodeJS.Timeout;
  readonly #onEnd: (attempt: Attempt) => void;
  #settle: (finding: Finding) => void = () => undefined;
  #release: () => void = () => undefined;
  #late: () => Finding;
  #ended = false;
  #failure: Failure | undefined;

  constructor(leftMs: number, check: ActiveCheck, onEnd: (attempt: Attempt) => void) {
    this.finding = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#onEnd = onEnd;
    this.#late = () => noAnswer(check);
    // A process that stood still until now has timers before it has what was answered meanwhile: that is read first.
    this.#timer = setTimeout(() => void setImmediate(() => this.end(this.#late())), leftMs);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What kind of failure it was, where an error says so. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Remembers the error for which it is about to end. */
  because(error: unknown): void {
    this.#failure = failureOf(error);
  }

  /** What closes everything that the attempt has opened. Replaces the one before. */
  releaseWith(release: () => void): void {
    this.#release = release;
  }

  /** What is known when the time is up, once it is more than that there was no answer. */
  whenLate(finding: () => Finding): void {
    this.#late = finding;
  }

  /** Only the first finding counts. */
  settle(finding: Finding): void {
    this.#settle(finding);
  }

  /** Settles, if it has not yet, and closes what was opened. */
  end(finding: Finding): void {
    const release = this.#release;
    this.complete(finding);
    release();
  }

  /** Ends, and leaves open what was opened. */
  complete(finding: Finding): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#release = () => undefined;
    this.#settle(finding);
    this.#onEnd(this);
  }
}

export const noAnswer = (check: ActiveCheck): Finding => critical(`no answer within ${check.timeout}`);

/** As a URL or a `Host` header has it. */
export const authority = (address: string, port: number): string =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;

/** Where to connect to, and nowhere else. */
export const pinned = ({ ip, port }: Aim) => ({ host: ip, port, lookup: neverAgain });

/** Certificates are for names; an IP address is compared with the certificate, but not sent as a name. */
export const tlsOptions = ({ target, check }: Aim<ActiveCheck & { readonly tlsVerify: boolean }>) => ({
  servername: isIP(target.address) === 0 ? target.address : '',
  rejectUnauthorized: check.tlsVerify,
});

/** A second resolution could give an address that nobody has judged. */
function neverAgain(hostname: string): never {
  throw new Error(`resolved again: ${hostname}`);
}

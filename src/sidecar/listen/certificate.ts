import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

/** The contents of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Their paths. */
export type CertificateFiles = Certificate;

export interface CertificateDeps {
  readonly intervalMs: number;
  /** Another certificate, for new connections. */
  readonly onChange: (certificate: Certificate) => void;
  /** Once for each change that cannot be used; the old certificate stays. */
  readonly onFault: (fault: string) => void;
}

/** @throws what keeps the files from being read, or used. */
export function readCertificate({ cert, key }: CertificateFiles): Certificate {
  const found = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  const fault = faultIn(found);
  if (fault !== undefined) throw new Error(`TLS cannot be spoken with ${cert} and ${key}: ${fault}`);
  return found;
}

/**
 * Reads the files again and again, and tells when they have changed. Contents are compared rather than times, since Kubernetes changes a
 * link instead. A certificate and a key that do not belong together are half of a change: the other half is waited for.
 */
export class CertificateWatch {
  readonly #files: CertificateFiles;
  readonly #deps: CertificateDeps;
  #current: Certificate;
  /** What was found last and cannot be used, so that it is said once. */
  #refused: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `current` is what is shown now. */
  constructor(files: CertificateFiles, current: Certificate, deps: CertificateDeps) {
    this.#files = files;
    this.#current = current;
    this.#deps = deps;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#schedule()), this.#deps.intervalMs).unref();
  }

  async #look(): Promise<void> {
    let found: Certificate;
    try {
      const [cert, key] = await Promise.all([readFile(this.#files.cert, 'utf8'), readFile(this.#files.key, 'utf8')]);
      found = { cert, key };
    } catch (error) {
      return this.#refuse((error as Error).message, (error as Error).message);
    }
    if (this.#stopped) return;
    if (isSame(found, this.#current)) return void (this.#refused = undefined);
    const fault = faultIn(found);
    if (fault !== undefined) return this.#refuse(fault, JSON.stringify(found));
    this.#current = found;
    this.#refused = undefined;
    this.#deps.onChange(found);
  }

  #refuse(fault: string, which: string): void {
    if (this.#refused === which) return;
    this.#refused = which;
    this.#deps.onFault(fault);
  }
}

/** Node takes empty ones, as a file is while it is being written, and then shows nothing. */
function faultIn(found: Certificate): string | undefined {
  if (found.cert === '') return 'the certificate is empty';
  if (found.key === '') return 'the key is empty';
  try {
    createSecureContext(found);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const isSame = (a: Certificate, b: Certificate): boolean => a.cert === b.cert && a.key === b.key;

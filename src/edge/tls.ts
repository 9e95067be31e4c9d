import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ServerOptions } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';

/** Paths of PEM files. */
export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

interface Files {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** What of an HTTPS server takes another certificate while it runs. */
interface Takes {
  setSecureContext(options: SecureContextOptions): void;
}

export interface TlsDeps {
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** The authorities of clients are others from now on. */
  readonly onClientCa?: () => void;
}

const OLDEST = 'TLSv1.2';
const HANDSHAKE_MS = 10_000;

/**
 * The certificate that a server shows, read anew whenever its files change. Contents are compared rather than times, since
 * a file may be changed twice within a tick of its clock, and Kubernetes changes a link instead.
 */
export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #deps: TlsDeps;
  #current: Files;
  /** What was tried last and cannot be used, so that it is said once. */
  #refused: string | undefined;

  private constructor(paths: TlsPaths, deps: TlsDeps, current: Files) {
    this.#paths = paths;
    this.#deps = deps;
    this.#current = current;
  }

  /** Rejects, with what is wrong, when the files cannot be used. */
  static async open(paths: TlsPaths, deps: TlsDeps): Promise<TlsFiles> {
    const found = await read(paths);
    const fault = faultIn(found);
    if (fault !== undefined) throw new Error(`TLS cannot be spoken with TLS_CERT and TLS_KEY: ${fault}`);
    return new TlsFiles(paths, deps, found);
  }

  /** What an HTTPS server is made with. Who shows no certificate, or one that is not accepted, is let in as nobody. */
  get options(): ServerOptions {
    return {
      ...contextOf(this.#current),
      handshakeTimeout: HANDSHAKE_MS,
      ...(this.#paths.clientCa !== undefined && { requestCert: true, rejectUnauthorized: false }),
    };
  }

  /** To be called every so often: takes on what has changed. Connections that are open go on. Never rejects. */
  async reload(server: Takes): Promise<void> {
    let found: Files;
    try {
      found = await read(this.#paths);
    } catch (error) {
      return this.#refuse((error as Error).message, (error as Error).message);
    }
    if (isSame(found, this.#current)) {
      this.#refused = undefined;
      return;
    }
    const fault = faultIn(found);
    if (fault !== undefined) return this.#refuse(fault, JSON.stringify(found));
    server.setSecureContext(contextOf(found));
    const clientsToo = found.ca !== this.#current.ca;
    this.#current = found;
    this.#refused = undefined;
    if (clientsToo) this.#deps.onClientCa?.();
    this.#deps.log.info('the files of TLS have changed: new connections get the new certificate');
  }

  #refuse(fault: string, which: string): void {
    if (this.#refused === which) return;
    this.#refused = which;
    this.#deps.log.warn({ fault }, 'the files of TLS have changed and cannot be used: the old certificate stays');
  }
}

async function read({ cert, key, clientCa }: TlsPaths): Promise<Files> {
  const [certText, keyText, ca] = await Promise.all([
    readFile(cert, 'utf8'),
    readFile(key, 'utf8'),
    clientCa === undefined ? undefined : readFile(clientCa, 'utf8'),
  ]);
  return { cert: certText, key: keyText, ...(ca !== undefined && { ca }) };
}

const isSame = (a: Files, b: Files): boolean => a.cert === b.cert && a.key === b.key && a.ca === b.ca;

const contextOf = ({ cert, key, ca }: Files): SecureContextOptions => ({
  cert,
  key,
  ...(ca !== undefined && { ca }),
  minVersion: OLDEST,
});

/** A certificate and a key that do not belong together are found out here as well, so half of a change is not taken. */
function faultIn(files: Files): string | undefined {
  try {
    if (files.ca !== undefined) checkAuthorities(files.ca);
    // Node takes empty ones, as a file is while it is being written, and then shows nothing.
    if (files.cert === '') return 'the certificate is empty';
    if (files.key === '') return 'the key is empty';
    createSecureContext(contextOf(files));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** OpenSSL passes over what is no certificate, and would then accept nobody. */
function checkAuthorities(text: string): void {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new Error('there is no certificate in TLS_CLIENT_CA');
  for (const one of found) {
    // One that cannot be read throws.
    const { ca } = new X509Certificate(one);
    if (!ca) throw new Error('a certificate in TLS_CLIENT_CA is of no authority');
  }
}

import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import type { Grant, Verified } from './grant.ts';
import type { Identity } from './identity.ts';

/** Before the subject of whoever was known by a certificate: no issuer's token has such a subject. */
export const CERTIFICATE_SUBJECT = 'cert:';

/** What a TLS connection says about the other side. */
export interface Shown {
  /** What TLS made of the certificate; without one, that there is none. */
  readonly authorized: boolean;
  readonly error: string | undefined;
  /** An empty object without one, as node answers it. */
  readonly certificate: Pick<PeerCertificate | DetailedPeerCertificate, 'subject' | 'subjectaltname' | 'valid_to'>;
}

/** Knows service accounts by the certificates that they show (RFC 8705 calls that mutual TLS). */
export class Certificates {
  /** A connection that was verified against authorities that have been replaced since says nothing any more. */
  #generation = 0;
  readonly #clock: () => number;

  /** `clock` is in milliseconds since 1970. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Counts how often the authorities have been replaced. */
  get generation(): number {
    return this.#generation;
  }

  /** The authorities are others from now on. */
  replaced(): void {
    this.#generation += 1;
  }

  /** Whether what was verified at the beginning of a connection is still worth anything. */
  stillHolds(grant: Grant): boolean {
    return grant.holds(this.#clock());
  }

  /**
   * `undefined` when no certificate was shown, which is no mistake. To be asked once for a connection; `generation` is what
   * it was when that began, since TLS holds certificates against the authorities of then.
   */
  verify({ authorized, error, certificate }: Shown, generation = this.#generation): Verified | undefined {
    if (!Object.hasOwn(certificate, 'subject')) return undefined;
    if (!authorized) return refuse(`TLS does not accept it (${error ?? 'it is not of a known authority'})`);
    const subject = subjectOf(certificate);
    if (typeof subject !== 'string') return refuse(subject.fault);
    const expiresAt = Date.parse(certificate.valid_to);
    if (!(this.#clock() < expiresAt)) return refuse('it has expired');
    const grant: Grant = {
      identity: identityOf(subject),
      expiresAt,
      holds: (at) => at < expiresAt && generation === this.#generation,
    };
    return { ok: true, grant };
  }
}

const refuse = (detail: string): Verified => ({ ok: false, away: false, detail });

/** A certificate makes its bearer a service account, and nothing else: groups and scopes are the issuers' to give. */
const identityOf = (subject: string): Identity => ({
  subject,
  administrator: false,
  reader: false,
  owns: { apiIds: [], services: [], groups: [] },
});

/**
 * `cert:uri:` and its one URI, such as a SPIFFE id, or without any, `cert:cn:` and its common name. The two are told apart,
 * so that whoever may choose a common name cannot pass for somebody's URI.
 */
export function subjectOf({ subject, subjectaltname }: Shown['certificate']): string | { readonly fault: string } {
  const uris = urisIn(subjectaltname ?? '');
  if (uris === undefined) return { fault: 'its alternative names cannot be read' };
  if (uris.length > 1) return { fault: 'it has several URIs, of which nobody can say which one is meant' };
  const [uri] = uris;
  if (uri !== undefined) return `${CERTIFICATE_SUBJECT}uri:${uri}`;
  // Of several, node makes a list.
  const name: unknown = subject.CN;
  if (typeof name === 'string' && name !== '') return `${CERTIFICATE_SUBJECT}cn:${name}`;
  return { fault: 'it has neither a URI nor one common name' };
}

/**
 * Node lists alternative names as `DNS:a.example, URI:spiffe://b`, and puts a name into quotes, as JSON, where it has
 * anything in it that could be taken for a separator. Reading past a quote would find names that are not there.
 */
const NAME = /([A-Za-z][A-Za-z ]*):(?:"((?:[^"\\]|\\.)*)"|([^",]*))(?:, |$)/y;

function urisIn(names: string): string[] | undefined {
  const uris: string[] = [];
  NAME.lastIndex = 0;
  for (let at = 0; at < names.length; at = NAME.lastIndex) {
    const found = NAME.exec(names);
    if (found === null) return undefined;
    const [, type, quoted, plain] = found;
    if (type !== 'URI') continue;
    // A URI has none of what would have to be quoted.
    if (quoted !== undefined || plain === undefined || plain === '') return undefined;
    uris.push(plain);
  }
  return uris;
}

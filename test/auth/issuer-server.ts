import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import { readIssuers, type Issuer } from '../../src/auth/issuer.ts';

interface Pair {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export interface Minted {
  readonly kid?: string;
  readonly typ?: string | null;
  readonly expiresIn?: number;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** An issuer on a real socket, with real keys, which publishes and signs what a test wants. */
export class IssuerServer {
  readonly #server: Server = createServer((request, response) => {
    this.asked.push(request.url ?? '');
    if (this.away) return void response.writeHead(500).end();
    response.setHeader('content-type', 'application/json');
    response.end(this.documents[request.url ?? ''] ?? this.#document(request.url ?? ''));
  });
  readonly #pairs = new Map<string, Pair>();
  /** The kids that it publishes. */
  published: string[] = [];
  asked: string[] = [];
  away = false;
  /** What is answered instead, by path. */
  documents: Record<string, string> = {};
  url = '';

  static async open(): Promise<IssuerServer> {
    const issuer = new IssuerServer();
    issuer.#server.listen(0, '127.0.0.1');
    await once(issuer.#server, 'listening');
    issuer.url = `http://127.0.0.1:${(issuer.#server.address() as AddressInfo).port}`;
    await issuer.addKey('k1');
    return issuer;
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((done) => this.#server.close(done));
  }

  /** Makes a key, and publishes it unless told otherwise. */
  async addKey(kid: string, alg = 'ES256', publish = true): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    this.#pairs.set(kid, { alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } });
    if (publish) this.published.push(kid);
  }

  jwk(kid: string): JWK {
    return this.#pair(kid).jwk;
  }

  /** Its entry in OIDC_ISSUERS. */
  settings(more: object = {}): object {
    return { issuer: this.url, audience: 'signalbox', ...more };
  }

  issuer(more: object = {}): Issuer {
    const read = readIssuers(JSON.stringify([this.settings(more)]));
    if (!read.ok || read.issuers[0] === undefined) throw new Error(read.ok ? 'none' : read.fault);
    return read.issuers[0];
  }

  /** A token; claims override those that make it good. */
  mint(
    claims: JWTPayload = {},
    { kid = 'k1', typ = 'at+jwt', expiresIn = 300, header = {} }: Minted = {},
  ): Promise<string> {
    const { alg, privateKey } = this.#pair(kid);
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.url, aud: 'signalbox', sub: 'ada', iat: now, exp: now + expiresIn, ...claims };
    return new SignJWT(all).setProtectedHeader({ alg, kid, ...(typ !== null && { typ }), ...header }).sign(privateKey);
  }

  #pair(kid: string): Pair {
    const pair = this.#pairs.get(kid);
    if (pair === undefined) throw new Error(`no key ${kid}`);
    return pair;
  }

  #document(path: string): string {
    if (path === '/jwks') return JSON.stringify({ keys: this.published.map((kid) => this.jwk(kid)) });
    return JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/jwks` });
  }
}

/** Not signed at all, or with a secret that everybody knows. */
export function forge(claims: object, header: object, sign: (input: string) => string = () => ''): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${sign(input)}`;
}

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { ACCOUNTS } from './people.ts';

/** What the embedded provider keeps to itself. Made once for each data directory (SEC2). */
export interface Secrets {
  /** Of the people, where one is asked for. */
  readonly password: string;
  /** Of the service accounts, by client id. */
  readonly accounts: Readonly<Record<string, string>>;
  /** Of Signalbox as a client. */
  readonly browser: string;
  /** Sign the provider's cookies. */
  readonly cookies: readonly string[];
  /** Sign its tokens. */
  readonly keys: readonly JWK[];
}

export const SECRETS_FILE = 'development.json';

/** The secrets in a data directory, made if there are none. The caller alone uses the directory. */
export async function secretsIn(dir: string, random: (bytes: number) => Buffer): Promise<Secrets> {
  const file = join(dir, SECRETS_FILE);
  if (existsSync(file)) return read(file);
  const secrets = await make(random);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  write(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

async function make(random: (bytes: number) => Buffer): Promise<Secrets> {
  const secret = (): string => random(24).toString('base64url');
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return {
    password: random(9).toString('base64url'),
    accounts: Object.fromEntries(ACCOUNTS.map((id) => [id, secret()])),
    browser: secret(),
    cookies: [secret()],
    keys: [{ ...(await exportJWK(privateKey)), kid: random(8).toString('hex'), alg: 'RS256', use: 'sig' }],
  };
}

function read(file: string): Secrets {
  try {
    const { password, accounts, browser, cookies, keys } = JSON.parse(readFileSync(file, 'utf8')) as Secrets;
    const texts = [password, browser, ...cookies, ...ACCOUNTS.map((id) => accounts[id])];
    if (texts.every((text) => typeof text === 'string' && text.length >= 12) && keys.length > 0) {
      return { password, accounts, browser, cookies, keys };
    }
  } catch {
    // The message would quote what is in there.
  }
  throw new Error(`${file} does not hold the secrets of development mode: move it away, and new ones are made`);
}

/** Made aside, for nobody else to read, and renamed when it is complete. */
function write(file: string, text: string): void {
  const unfinished = `${file}.new`;
  const fd = openSync(unfinished, 'w', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, file);
}

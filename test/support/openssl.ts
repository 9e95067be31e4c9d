/** Certificates for tests, made by `openssl` in a directory that the caller removes. Knows nothing of Jest. */
import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A certificate and its key, as files and as texts. */
export interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export interface Wanted {
  /** As `openssl -subj` has it. */
  readonly subject?: string;
  /** As in `subjectAltName`. */
  readonly names?: string;
  readonly usage?: 'serverAuth' | 'clientAuth';
  readonly days?: number;
}

export class Authority {
  readonly #dir: string;
  readonly #name: string;
  readonly own: Pair;
  #serial = 0;

  /** `name` is that of its files and of the authority. */
  constructor(dir: string, name: string) {
    this.#dir = dir;
    this.#name = name;
    const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
    const made = [
      'req',
      '-x509',
      ...NEW_KEY,
      '-keyout',
      keyFile,
      '-out',
      certFile,
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
    ];
    openssl([...made, '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']);
    this.own = read(certFile, keyFile);
  }

  issue({ subject = '/CN=somebody', names, usage = 'serverAuth', days = 30 }: Wanted = {}): Pair {
    this.#serial += 1;
    const at = (end: string): string => join(this.#dir, `${this.#name}-${this.#serial}.${end}`);
    openssl(['req', '-new', ...NEW_KEY, '-keyout', at('key'), '-out', at('csr'), '-subj', subject]);
    const lines = [`extendedKeyUsage=${usage}`, ...(names === undefined ? [] : [`subjectAltName=${names}`])];
    writeFileSync(at('ext'), lines.join('\n'));
    const by = ['-CA', this.own.certFile, '-CAkey', this.own.keyFile, '-set_serial', String(this.#serial)];
    openssl(['x509', '-req', '-in', at('csr'), ...by, '-days', String(days), '-extfile', at('ext'), '-out', at('crt')]);
    return read(at('crt'), at('key'));
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

const read = (certFile: string, keyFile: string): Pair => ({
  certFile,
  keyFile,
  cert: readFileSync(certFile, 'utf8'),
  key: readFileSync(keyFile, 'utf8'),
});

function openssl(args: readonly string[]): void {
  execFileSync(findOpenssl(), [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

const MISSING = `These tests make certificates with openssl 1.1.1 or newer, which is not on the PATH.
Install it (Debian, Ubuntu: apt-get install openssl; Fedora: dnf install openssl; macOS: brew install openssl).`;

/** Found, or on Debian as root installed first. */
function findOpenssl(): string {
  const found = search();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new Error(MISSING);
  // Waiting for dpkg's lock: another process may be installing the same thing.
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  const options: ExecFileSyncOptions = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  };
  try {
    execFileSync('apt-get', ['update', '-q', ...wait], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wait, 'openssl'], options);
  } catch (error) {
    throw new Error(`${MISSING}\nInstalling it with apt-get did not work.`, { cause: error });
  }
  const installed = search();
  if (installed === undefined) throw new Error(MISSING);
  return installed;
}

function search(): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return path.map((dir) => join(dir, 'openssl')).find((file) => existsSync(file));
}

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, usageError } from './errors.ts';
import type { Io } from './io.ts';

/** What a login has left for one server. */
export interface Login {
  readonly issuer: string;
  readonly clientId: string;
  readonly resource?: string;
  readonly subject: string;
  readonly accessToken: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly refreshToken?: string;
}

type Logins = Readonly<Record<string, Login>>;

/** Longer than an issuer is waited for. */
const LOCK_STALE_MS = 60_000;
const LOCK_PAUSE_MS = 50;

/** The logins of a person, by server: `$XDG_CONFIG_HOME/signalbox/credentials.json`, for nobody else to read. */
export class Credentials {
  /** `undefined` where there is no home to keep it in. */
  readonly file: string | undefined;

  constructor({ env }: Pick<Io, 'env'>) {
    const home = env['XDG_CONFIG_HOME'] || (env['HOME'] && join(env['HOME'], '.config')) || env['APPDATA'];
    this.file = home ? join(home, 'signalbox', 'credentials.json') : undefined;
  }

  /** Of a server, by its address as `baseUrl` writes it. */
  find(server: string): Login | undefined {
    const logins = this.#read();
    return Object.hasOwn(logins, server) ? logins[server] : undefined;
  }

  async put(server: string, login: Login): Promise<void> {
    await this.locked(() => this.write(server, login));
  }

  /** Answers what there was. */
  async remove(server: string): Promise<Login | undefined> {
    return this.locked(() => {
      const login = this.find(server);
      if (login !== undefined) this.write(server, undefined);
      return login;
    });
  }

  /** Runs while no other command writes the file. */
  async locked<T>(run: () => T | Promise<T>): Promise<T> {
    const lock = `${this.#path()}.lock`;
    mkdirSync(dirname(lock), { recursive: true, mode: 0o700 });
    while (!tryLock(lock)) await sleep(LOCK_PAUSE_MS);
    try {
      return await run();
    } finally {
      rmSync(lock, { force: true });
    }
  }

  /** Made aside and renamed: whoever reads meanwhile has the old one whole. Only while it is locked. */
  write(server: string, login: Login | undefined): void {
    const { [server]: _before, ...others } = this.#read();
    const logins = login === undefined ? others : { ...others, [server]: login };
    const unfinished = `${this.#path()}.new`;
    rmSync(unfinished, { force: true });
    const fd = openSync(unfinished, 'wx', 0o600);
    try {
      writeSync(fd, `${JSON.stringify(logins, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, this.#path());
  }

  #path(): string {
    if (this.file !== undefined) return this.file;
    throw usageError('There is nowhere to keep a login: set HOME or XDG_CONFIG_HOME.');
  }

  #read(): Logins {
    if (this.file === undefined) return {};
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw failure('The logins cannot be read', (error as Error).message);
    }
    try {
      const logins: unknown = JSON.parse(text);
      if (typeof logins === 'object' && logins !== null && !Array.isArray(logins)) return logins as Logins;
    } catch {
      // The message would quote what is in there.
    }
    throw failure('The logins cannot be read', `${this.file} is damaged: remove it, and log in again.`);
  }
}

/** A command that was killed leaves its lock behind. */
function tryLock(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw failure('The logins cannot be written', (error as Error).message);
    const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - made > LOCK_STALE_MS) rmSync(lock, { force: true });
    return false;
  }
}

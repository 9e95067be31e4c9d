import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** `reason` is a sentence without its full stop. */
export type Resolution = { readonly addresses: readonly string[] } | { readonly reason: string };

export interface Resolver {
  /** All addresses of a host, in the order to prefer them. Never rejects, and settles within `withinMs`. */
  resolve(host: string, withinMs: number): Promise<Resolution>;
}

export interface ResolverOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly lookup?: Lookup;
}

/** Rejects when the host has no address. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** Lookups run on libuv's thread pool, which the whole process shares: names that hang must leave most of it free. */
const AT_ONCE = 2;
/** A lookup that hangs is waited for no longer than this, however patient the check is. */
const WAIT_MS = 5000;
const KEEP_MS = 10_000;
const KEEP_FAILURE_MS = 1000;
/** What is older than `KEEP_MS` still serves for so long while DNS does not answer: its outage is not the targets'. */
const STALE_MS = 60_000;
const NO_SUCH_NAME = new Set(['ENOTFOUND', 'ENODATA']);

interface Kept {
  readonly resolution: Resolution;
  readonly at: number;
}

interface Pending {
  waiting: number;
  readonly done: Promise<Resolution>;
  readonly start: () => void;
}

/** Resolves as the operating system does, with `/etc/hosts` and search domains. IP literals are answered as they are. */
export const createResolver = (options: ResolverOptions): Resolver => new SystemResolver(options);

class SystemResolver implements Resolver {
  readonly #now: () => number;
  readonly #lookup: Lookup;
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>();
  readonly #queued = new Map<string, Pending>();
  readonly #running = new Map<string, Pending>();

  constructor(options: ResolverOptions) {
    this.#now = options.now;
    this.#lookup = options.lookup ?? systemLookup;
  }

  async resolve(host: string, withinMs: number): Promise<Resolution> {
    if (isIP(host) !== 0) return { addresses: [host] };
    const kept = this.#kept.get(host);
    const age = kept === undefined ? Infinity : this.#now() - kept.at;
    if (kept !== undefined && age < ('addresses' in kept.resolution ? KEEP_MS : KEEP_FAILURE_MS))
      return kept.resolution;
    const spare = this.#spare(host);
    const waitMs = Math.min(withinMs, WAIT_MS);
    // With something to fall back on, there has to be time left to use it.
    const found = await this.#wait(host, spare === undefined ? waitMs : waitMs / 2);
    return found ?? spare ?? { reason: `the name ${host} was not resolved in time` };
  }

  #spare(host: string): Resolution | undefined {
    const kept = this.#kept.get(host);
    if (kept === undefined || 'reason' in kept.resolution || this.#now() - kept.at >= STALE_MS) return undefined;
    return kept.resolution;
  }

  /** Those who ask for the same name at the same time share one lookup. */
  async #wait(host: string, ms: number): Promise<Resolution | undefined> {
    const pending = this.#running.get(host) ?? this.#queued.get(host) ?? this.#enqueue(host);
    pending.waiting += 1;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ms);
    });
    const found = await Promise.race([pending.done, late]);
    clearTimeout(timer);
    pending.waiting -= 1;
    // One that has started goes on, because nothing stops it; one that nobody waits for any more need not start.
    if (pending.waiting === 0 && this.#queued.get(host) === pending) this.#queued.delete(host);
    return found;
  }

  #enqueue(host: string): Pending {
    let start: () => void = nothing;
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    const pending: Pending = { waiting: 0, done: started.then(() => this.#run(host)), start };
    this.#queued.set(host, pending);
    this.#startNext();
    return pending;
  }

  #startNext(): void {
    for (const [host, pending] of this.#queued) {
      if (this.#running.size >= AT_ONCE) return;
      this.#queued.delete(host);
      this.#running.set(host, pending);
      pending.start();
    }
  }

  async #run(host: string): Promise<Resolution> {
    const resolution = await this.#look(host);
    this.#running.delete(host);
    this.#startNext();
    return resolution;
  }

  async #look(host: string): Promise<Resolution> {
    try {
      const addresses = await this.#lookup(host);
      if (addresses.length === 0) return this.#keep(host, { reason: `the name ${host} has no address` });
      return this.#keep(host, { addresses });
    } catch (error) {
      const code = (error as { readonly code?: unknown } | undefined)?.code;
      if (NO_SUCH_NAME.has(String(code))) return this.#keep(host, { reason: `the name ${host} does not exist` });
      return this.#spare(host) ?? this.#keep(host, { reason: `the name ${host} could not be resolved` });
    }
  }

  #keep(host: string, resolution: Resolution): Resolution {
    const at = this.#now();
    for (const [oldest, kept] of this.#kept) {
      if (at - kept.at < STALE_MS) break;
      this.#kept.delete(oldest);
    }
    this.#kept.delete(host);
    this.#kept.set(host, { resolution, at });
    return resolution;
  }
}

async function systemLookup(host: string): Promise<readonly string[]> {
  const found = await dnsLookup(host, { all: true });
  return found.map(({ address }) => address);
}

const nothing = (): void => undefined;

import type { LevelledLog } from '../log.ts';
import type { Timers } from '../timers.ts';
import { REAL_TIMERS } from '../timers.ts';
import { levelNames, levelOf, readLevel, ROOT } from './levels.ts';

/** A logger and its level, as `/adm/logger` has it. */
export interface LoggerLevel {
  readonly name: string;
  readonly level: string;
  /** RFC 3339, UTC: when the level before comes back. */
  readonly until?: string;
}

interface Limited {
  /** What it was set to before the first of the changes that are for a time; undefined: nothing of its own. */
  readonly before: string | undefined;
  readonly until: number;
  readonly cancel: () => void;
}

/** Names without a logger that have a level; more are not taken, so that nobody can fill the memory with them. */
const MAX_LEVELS = 1000;

/**
 * The loggers of a program, by name: each can be given a level of its own while the program runs, also before it is made. Names
 * have dots: `orders.db` goes by `orders` while it has no level of its own, and by `ROOT` in the end.
 */
export class Loggers<L extends LevelledLog = LevelledLog> {
  readonly root: L;
  readonly #timers: Timers;
  readonly #named = new Map<string, L>();
  readonly #levels = new Map<string, string>();
  readonly #limited = new Map<string, Limited>();

  constructor(root: L, timers: Timers = REAL_TIMERS) {
    this.root = root;
    this.#timers = timers;
  }

  /** The logger of this name, always the same; its lines have the name as `logger`. */
  named(name: string): L {
    if (name === ROOT) return this.root;
    const known = this.#named.get(name);
    if (known !== undefined) return known;
    // A child of a logger is one of its kind.
    const made = this.root.child({ logger: name }, { level: this.#levelOf(name) }) as L;
    this.#named.set(name, made);
    return made;
  }

  get levelNames(): readonly string[] {
    return levelNames(this.root.levels?.values);
  }

  readLevel(text: unknown): string | undefined {
    return readLevel(text, this.levelNames);
  }

  /** ROOT first, then all that were made or were given a level, by name. */
  list(): readonly LoggerLevel[] {
    const names = new Set([...this.#named.keys(), ...this.#levels.keys()]);
    return [ROOT, ...[...names].sort()].map((name) => this.#say(name));
  }

  /** Undefined where there is no logger of the name, and no level for it. */
  get(name: string): LoggerLevel | undefined {
    return name === ROOT || this.#named.has(name) || this.#levels.has(name) ? this.#say(name) : undefined;
  }

  /** Whether a level for one more name can be remembered. */
  canSet(name: string): boolean {
    return name === ROOT || this.#named.has(name) || this.#levels.has(name) || this.#levels.size < MAX_LEVELS;
  }

  /**
   * Sets the level, which is one of `levelNames`; with `forMs` for so many milliseconds. After several changes for a time the
   * level before the first of them comes back; a change without one ends that.
   */
  set(name: string, level: string, forMs?: number): LoggerLevel {
    const limited = this.#limited.get(name);
    limited?.cancel();
    this.#limited.delete(name);
    if (forMs !== undefined) {
      const before = limited === undefined ? this.#own(name) : limited.before;
      const cancel = this.#timers.after(forMs, () => {
        this.#limited.delete(name);
        this.#assign(name, before);
      });
      this.#limited.set(name, { before, until: this.#timers.wall() + forMs, cancel });
    }
    this.#assign(name, level);
    return this.#say(name);
  }

  /** Ends what is for a time: the levels from before come back now. */
  close(): void {
    for (const [name, { before, cancel }] of this.#limited) {
      cancel();
      this.#assign(name, before);
    }
    this.#limited.clear();
  }

  #own(name: string): string | undefined {
    return name === ROOT ? this.root.level : this.#levels.get(name);
  }

  #assign(name: string, level: string | undefined): void {
    if (name === ROOT) this.root.level = level ?? this.root.level;
    else if (level === undefined) this.#levels.delete(name);
    else this.#levels.set(name, level);
    for (const [each, logger] of this.#named) {
      const now = this.#levelOf(each);
      // A child of pino's that was given no level, or that of its parent, follows its parent.
      if (logger.level !== now || this.#levels.has(each)) logger.level = now;
    }
  }

  #levelOf(name: string): string {
    return name === ROOT ? this.root.level : levelOf(name, this.#levels, this.root.level);
  }

  #say(name: string): LoggerLevel {
    const until = this.#limited.get(name)?.until;
    const level = this.#levelOf(name);
    return { name, level, ...(until !== undefined && { until: new Date(until).toISOString() }) };
  }
}

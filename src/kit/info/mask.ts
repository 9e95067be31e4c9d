import { isUserFlag, MASKED, maskText } from './mask-text.ts';
import { isSecretName } from './secret-names.ts';

const MAX_DEPTH = 12;
const MAX_ITEMS = 1000;
const NAMING = /^(?:name|key|id|header)$/i;
const VALUE = /^(?:val|values?|data|content)$/i;

/**
 * A value as plain JSON, its keys sorted so that two can be compared, and without what may be a secret: whatever stands under
 * the name of one, and what looks like one. Functions, and what cannot be read, are named and not shown.
 */
export function mask(value: unknown, more: readonly RegExp[] = []): unknown {
  return new Mask(more).of(value, 0);
}

class Mask {
  readonly #more: readonly RegExp[];
  /** What is being shown at the moment: a value inside itself has no end. */
  readonly #open = new Set<object>();

  constructor(more: readonly RegExp[]) {
    this.#more = more;
  }

  of(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.#text(value, depth);
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
    if (typeof value !== 'object' || value === null) return value ?? null;
    if (this.#open.has(value)) return '[circular]';
    if (depth >= MAX_DEPTH) return '[deeper]';
    this.#open.add(value);
    try {
      return this.#object(value, depth + 1);
    } catch {
      return '[unreadable]';
    } finally {
      this.#open.delete(value);
    }
  }

  #object(value: object, depth: number): unknown {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof URL || value instanceof RegExp) return this.#text(String(value), depth);
    if (value instanceof Error) return this.#text(`${value.name}: ${value.message}`, depth);
    if (value instanceof Headers || value instanceof URLSearchParams || value instanceof Map)
      return this.#entries(
        [...value].map(([key, each]) => [String(key), each] as const),
        depth,
      );
    if (value instanceof Set) return this.#list([...value], depth);
    if (Array.isArray(value)) return this.#list(value, depth);
    return this.#entries(readable(value), depth);
  }

  #entries(entries: readonly (readonly [string, unknown])[], depth: number): unknown {
    const sorted = entries.slice(0, MAX_ITEMS).sort(([a], [b]) => (a < b ? -1 : 1));
    // `{name: 'PASSWORD', value: '…'}`, as lists of variables and headers have it: there the key names, and hides nothing itself.
    const isPair = sorted.some(([key]) => VALUE.test(key)) && sorted.some(([key]) => NAMING.test(key));
    const hides = isPair && sorted.some(([key, each]) => NAMING.test(key) && this.#isName(each));
    return Object.fromEntries(
      sorted.map(([key, each]) => {
        const names = isPair && NAMING.test(key) && this.#isName(each);
        const secret = (!names && this.#isSecret(key)) || (hides && VALUE.test(key));
        return [maskText(key, this.#more), secret ? hidden(each) : this.of(each, depth)];
      }),
    );
  }

  /** What follows the name of a secret in a list is taken for it: `['--password', '…']`, `['password', '…']`. */
  #list(items: readonly unknown[], depth: number): unknown[] {
    return items
      .slice(0, MAX_ITEMS)
      .map((item, index) =>
        this.#isName(items[index - 1]) || isUserFlag(items[index - 1]) ? hidden(item) : this.of(item, depth),
      );
  }

  #text(text: string, depth: number): string {
    if (/^\s*[[{]/.test(text)) {
      const parsed = parse(text);
      if (parsed !== undefined) return JSON.stringify(this.of(parsed, depth));
    }
    return maskText(text, this.#more);
  }

  #isName(value: unknown): boolean {
    return typeof value === 'string' && /^[\w.$:-]{1,100}$/.test(value) && this.#isSecret(value);
  }

  #isSecret(name: string): boolean {
    return isSecretName(name, this.#more);
  }
}

/** Whether there is a secret at all may be told: it is what a review of a configuration asks first. */
const hidden = (value: unknown): unknown =>
  value === undefined || value === null || value === '' ? (value ?? null) : MASKED;

/** Its own properties; of one that cannot be read, that. */
function readable(value: object): (readonly [string, unknown])[] {
  return Object.keys(value).map((key) => {
    try {
      return [key, (value as Readonly<Record<string, unknown>>)[key]] as const;
    } catch {
      return [key, '[unreadable]'] as const;
    }
  });
}

function parse(text: string): object | undefined {
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}

/** Where a text stops being JSON, and why. Line and column count from 1. */
export interface JsonError {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/**
 * Finds the first error of a text that `JSON.parse` has refused. The engine's own message names no place in half of the
 * cases, and which ones depends on its version.
 */
export function findJsonError(text: string): JsonError {
  const scanner = new Scanner(text);
  try {
    scanner.document();
  } catch (error) {
    if (!(error instanceof Found)) throw error;
    return { ...placeOf(text, scanner.at), message: error.message };
  }
  return { ...placeOf(text, text.length), message: 'is not JSON' };
}

/** Line and column of an offset, from 1. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
}

class Found extends Error {}

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
// eslint-disable-next-line no-control-regex -- JSON forbids exactly these in a string.
const STRING_PART = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;

class Scanner {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value();
    this.#skip(SPACE);
    if (this.at < this.#text.length) this.#fail(`${this.#here()} after the end of the value`);
  }

  #value(): void {
    this.#skip(SPACE);
    const first = this.#text[this.at];
    if (first === '{') this.#list('}', () => this.#member());
    else if (first === '[') this.#list(']', () => this.#value());
    else if (first === '"') this.#string();
    else if (!this.#skip(NUMBER) && !this.#skip(WORD)) this.#fail(`${this.#here()} where a value should be`);
  }

  #list(close: string, element: () => void): void {
    this.at += 1;
    this.#skip(SPACE);
    if (this.#take(close)) return;
    for (;;) {
      element();
      this.#skip(SPACE);
      if (this.#take(close)) return;
      if (!this.#take(',')) this.#fail(`${this.#here()} where "," or "${close}" should be`);
    }
  }

  #member(): void {
    this.#skip(SPACE);
    if (this.#text[this.at] !== '"') this.#fail(`${this.#here()} where a key in double quotes should be`);
    this.#string();
    this.#skip(SPACE);
    if (!this.#take(':')) this.#fail(`${this.#here()} where ":" should be`);
    this.#value();
  }

  #string(): void {
    const start = this.at;
    this.at += 1;
    this.#skip(STRING_PART);
    if (this.#take('"')) return;
    const next = this.#text[this.at];
    if (next === '\\') this.#fail('an escape that JSON does not know');
    if (next !== undefined && next !== '\n' && next !== '\r') this.#fail('a control character in a string');
    this.at = start;
    this.#fail('a string that is not closed');
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.at += length;
    return length > 0;
  }

  #take(character: string): boolean {
    if (this.#text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  #here(): string {
    const next = this.#text.codePointAt(this.at);
    return next === undefined ? 'the end of the text' : JSON.stringify(String.fromCodePoint(next));
  }

  #fail(message: string): never {
    throw new Found(message);
  }
}

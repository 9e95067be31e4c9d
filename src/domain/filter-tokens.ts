/** What is wrong with a filter or an order, and where: `position` counts characters from 1. */
export class SyntaxProblem extends Error {
  readonly position: number;

  constructor(position: number, message: string) {
    super(`at character ${position}: ${message}`);
    this.name = 'SyntaxProblem';
    this.position = position;
  }
}

/** What is wrong and where; `position` counts characters from 1 and the message names it. */
export interface SyntaxFault {
  readonly position: number;
  readonly message: string;
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: SyntaxFault };

/** Turns the syntax problems that a parser throws into a result. */
export function faultsOf<T>(parse: () => T): Parsed<T> {
  try {
    return { ok: true, value: parse() };
  } catch (error) {
    if (error instanceof SyntaxProblem)
      return { ok: false, error: { position: error.position, message: error.message } };
    throw error;
  }
}

export type TokenType = 'word' | 'string' | '(' | ')' | ',' | '=' | '!=' | ':' | 'end';

export interface Token {
  readonly type: TokenType;
  /** A word as it stands, a string without its quotes and escapes. */
  readonly text: string;
  /** From 0. */
  readonly at: number;
  /** Whether it touches the token before it. */
  readonly joined: boolean;
}

const SPACE = /[ \t\r\n]*/y;
const WORD = /[\p{L}\p{N}_.\-/+@*~]+/uy;
const SIGNS = ['(', ')', ',', '=', ':'] as const;

/** The tokens of a text with an `end` at the end. Throws a `SyntaxProblem`. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    const start = skip(SPACE, text, at);
    const joined = start === at && tokens.length > 0;
    const [type, value, next] = readToken(text, start);
    tokens.push({ type, text: value, at: start, joined });
    if (type === 'end') return tokens;
    at = next;
  }
}

function readToken(text: string, at: number): [type: TokenType, value: string, next: number] {
  const char = text[at];
  if (char === undefined) return ['end', '', at];
  const sign = SIGNS.find((candidate) => candidate === char);
  if (sign !== undefined) return [sign, sign, at + 1];
  if (char === '!') {
    if (text[at + 1] === '=') return ['!=', '!=', at + 2];
    throw new SyntaxProblem(at + 1, 'expected "!="; write "not" to negate a condition');
  }
  if (char === '"' || char === "'") return readString(text, at, char);
  const end = skip(WORD, text, at);
  if (end > at) return ['word', text.slice(at, end), end];
  throw new SyntaxProblem(at + 1, `${quoteChar(text, at)} is not known here; put values that hold it in quotes`);
}

function readString(text: string, start: number, quote: string): [type: 'string', value: string, next: number] {
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at];
    if (char === quote) return ['string', value, at + 1];
    if (char !== '\\') {
      value += char;
      continue;
    }
    at++;
    const escaped = text[at];
    if (escaped !== quote && escaped !== '\\') {
      throw new SyntaxProblem(at, `in a string, \\ may only stand before ${quote} or another \\`);
    }
    value += escaped;
  }
  throw new SyntaxProblem(start + 1, `the string that begins here has no closing ${quote}`);
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

const quoteChar = (text: string, at: number): string => JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));

import type { FieldPath, Fields, FieldType } from './fields.ts';
import { SyntaxProblem, tokenize, type Token, type TokenType } from './filter-tokens.ts';

/** Reads the tokens of a filter or an order from left to right. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  get token(): Token {
    return this.#tokens[this.#next] as Token;
  }

  is(type: TokenType): boolean {
    return this.token.type === type;
  }

  take(): Token {
    const token = this.token;
    if (token.type !== 'end') this.#next++;
    return token;
  }

  /** Takes the token if it is the one asked for. */
  accept(type: TokenType): boolean {
    if (!this.is(type)) return false;
    this.take();
    return true;
  }

  /** Keywords are words without regard to case. */
  atKeyword(keyword: string): boolean {
    return this.token.type === 'word' && this.token.text.toLowerCase() === keyword;
  }

  acceptKeyword(keyword: string): boolean {
    if (!this.atKeyword(keyword)) return false;
    this.take();
    return true;
  }

  fail(expected: string, token = this.token): never {
    const found = token.type === 'end' ? 'the end' : JSON.stringify(token.text);
    throw new SyntaxProblem(token.at + 1, `expected ${expected}, found ${found}`);
  }
}

export interface Field {
  readonly path: FieldPath;
  readonly type: FieldType;
  readonly at: number;
}

/** A field such as `displayName`, `location.city`, `labels.team` or `labels."team"`. */
export function readField(reader: TokenReader, fields: Fields): Field {
  const word = reader.token;
  if (word.type !== 'word') reader.fail('a field');
  reader.take();
  const key = reader.token;
  if (word.text.endsWith('.') && key.type === 'string' && key.joined) {
    reader.take();
    const base = word.text.slice(0, -1);
    if (fields.get(base) === 'map') return { path: [...base.split('.'), key.text], type: 'value', at: word.at };
    throw unknownField(word, `${base}."${key.text}"`, fields);
  }
  const type = fields.get(word.text);
  if (type !== undefined) return { path: word.text.split('.'), type, at: word.at };
  for (let dot = word.text.indexOf('.'); dot !== -1; dot = word.text.indexOf('.', dot + 1)) {
    const base = word.text.slice(0, dot);
    const rest = word.text.slice(dot + 1);
    if (fields.get(base) === 'map' && rest !== '')
      return { path: [...base.split('.'), rest], type: 'value', at: word.at };
  }
  throw unknownField(word, word.text, fields);
}

function unknownField(word: Token, name: string, fields: Fields): SyntaxProblem {
  const known = [...fields]
    .filter(([, type]) => type !== 'group')
    .map(([path, type]) => (type === 'map' ? `${path}.KEY` : path));
  return new SyntaxProblem(word.at + 1, `there is no field ${JSON.stringify(name)}; there are ${known.join(', ')}`);
}

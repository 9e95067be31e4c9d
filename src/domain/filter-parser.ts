import type { Fields } from './fields.ts';
import { readField, TokenReader, type Field } from './filter-reader.ts';
import { SyntaxProblem } from './filter-tokens.ts';
import { MAX_FILTER_DEPTH, MAX_FILTER_LENGTH, MAX_FILTER_LITERALS, type Filter, type Literal } from './filter-ast.ts';

const NUMBER = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$/;
const OPERATORS = '"=", "!=", ":" or "in"';

/** Throws a `SyntaxProblem`. */
export function parseFilterText(text: string, fields: Fields): Filter {
  if (text.length > MAX_FILTER_LENGTH) {
    throw new SyntaxProblem(MAX_FILTER_LENGTH + 1, `a filter has at most ${MAX_FILTER_LENGTH} characters`);
  }
  const parser = new Parser(text, fields);
  return parser.parse();
}

class Parser {
  readonly #reader: TokenReader;
  readonly #fields: Fields;
  #literals = 0;

  constructor(text: string, fields: Fields) {
    this.#reader = new TokenReader(text);
    this.#fields = fields;
  }

  parse(): Filter {
    const reader = this.#reader;
    if (reader.is('end')) return { kind: 'and', parts: [] };
    const filter = this.#or(0);
    if (!reader.is('end')) reader.fail('"and", "or" or the end (quote a value that has spaces or any of =!:(),)');
    return filter;
  }

  #or(depth: number): Filter {
    return this.#chain('or', () => this.#chain('and', () => this.#not(depth)));
  }

  #chain(keyword: 'and' | 'or', part: () => Filter): Filter {
    const parts = [part()];
    while (this.#reader.acceptKeyword(keyword)) parts.push(part());
    return parts.length === 1 ? (parts[0] as Filter) : { kind: keyword, parts };
  }

  #not(depth: number): Filter {
    const reader = this.#reader;
    const { at } = reader.token;
    if (depth > MAX_FILTER_DEPTH) {
      throw new SyntaxProblem(at + 1, `parentheses and "not" may be nested ${MAX_FILTER_DEPTH} deep at most`);
    }
    if (reader.acceptKeyword('not')) return { kind: 'not', part: this.#not(depth + 1) };
    if (!reader.accept('(')) return this.#condition();
    const inner = this.#or(depth + 1);
    if (!reader.accept(')')) reader.fail(`"and", "or" or ")" for the "(" at character ${at + 1}`);
    return inner;
  }

  #condition(): Filter {
    const reader = this.#reader;
    if (!reader.is('word')) reader.fail('a field, "not" or "("');
    const field = readField(reader, this.#fields);
    if (reader.acceptKeyword('in')) return this.#in(field);
    const operator = reader.token;
    if (operator.type !== '=' && operator.type !== '!=' && operator.type !== ':') return reader.fail(OPERATORS);
    reader.take();
    this.#check(field, operator.type);
    const literal = this.#literal();
    const { path } = field;
    if (operator.type === ':') return { kind: 'contains', path, literal };
    const equals: Filter = { kind: 'equals', path, literals: [literal] };
    return operator.type === '=' ? equals : { kind: 'not', part: equals };
  }

  #in(field: Field): Filter {
    const reader = this.#reader;
    this.#check(field, 'in');
    if (!reader.accept('(')) reader.fail('"(" and the values that "in" may be');
    const literals: Literal[] = [];
    do literals.push(this.#literal());
    while (reader.accept(','));
    if (!reader.accept(')')) reader.fail('"," or ")"');
    return { kind: 'equals', path: field.path, literals };
  }

  /** A group has no value, and a map only keys: a condition on them could never hold. */
  #check(field: Field, operator: string): void {
    const name = field.path.join('.');
    if (field.type === 'group') {
      const parts = [...this.#fields.keys()].filter((path) => path.startsWith(`${name}.`));
      throw new SyntaxProblem(field.at + 1, `${name} has parts; name one of ${parts.join(', ')}`);
    }
    if (field.type === 'map' && operator !== ':') {
      throw new SyntaxProblem(
        field.at + 1,
        `${name} is a map; write ${name}.KEY ${operator} ..., or ${name}:KEY to ask for a key`,
      );
    }
  }

  #literal(): Literal {
    const reader = this.#reader;
    const { type, text, at } = reader.token;
    if (type !== 'word' && type !== 'string') reader.fail('a value');
    if (++this.#literals > MAX_FILTER_LITERALS) {
      throw new SyntaxProblem(at + 1, `a filter has at most ${MAX_FILTER_LITERALS} values`);
    }
    reader.take();
    if (type === 'string') return { text };
    if (text === 'true' || text === 'false') return { text, boolean: text === 'true' };
    return NUMBER.test(text) ? { text, number: Number(text) } : { text };
  }
}

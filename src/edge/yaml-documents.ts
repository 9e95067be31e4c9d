import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type CST,
  type Document,
  type ParsedNode,
} from 'yaml';
import { Problem } from '../protocol/problem.ts';

/** Documents of resources need none; more than these in one document are an attack or a mistake. */
const MAX_ALIASES = 100;
const MAX_DEPTH = 32;
/** Of the parser's own stack, which has little more than an entry a level. */
const MAX_STACK = 2 * MAX_DEPTH;
/** YAML is slow to read: after so many milliseconds others get their turn. */
const SLICE_MS = 8;

/** The parser cannot be left within a document, so that none may keep it for long. */
export const MAX_DOCUMENT_LENGTH = 256 * 1024;
const SEPARATOR = /^---(?=[ \t\r\n]|$)/gm;

/**
 * The documents of a YAML 1.2 text that are not empty, `maxDocuments` of them at most. Throws a `Problem`, which names
 * line and column of what cannot be read.
 */
export async function readYaml(text: string, maxDocuments: number): Promise<unknown[]> {
  checkLengths(text);
  const lines = new LineCounter();
  // Its own search for repeated keys compares each with each; `Reader` finds them in one pass.
  const composer = new Composer({ version: '1.2', uniqueKeys: false, logLevel: 'silent' });
  const documents: unknown[] = [];
  let sliceEnd = performance.now() + SLICE_MS;
  for (const document of composer.compose(tokensOf(text, lines))) {
    check(document, lines);
    const { contents } = document;
    const isEmpty = contents === null || (isScalar(contents) && contents.value === null);
    if (!isEmpty) documents.push(new Reader(lines).read(contents, 0));
    if (documents.length > maxDocuments) {
      throw new Problem('too-large', `The body has more than the ${maxDocuments} documents that are taken.`);
    }
    if (performance.now() > sliceEnd) {
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  return documents;
}

/**
 * The composer descends into nested collections by recursion, and a stack that overflows within a regular expression ends
 * the process instead of throwing. So the depth is bounded here, where the parser still keeps a stack of its own.
 */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_STACK) throw faultAt(lines, parser.offset, `more than ${MAX_DEPTH} levels`);
  }
  yield* parser.end();
}

function checkLengths(text: string): void {
  let start = 0;
  for (const { index } of text.matchAll(SEPARATOR)) {
    checkLength(index - start);
    start = index;
  }
  checkLength(text.length - start);
}

function checkLength(length: number): void {
  if (length <= MAX_DOCUMENT_LENGTH) return;
  const detail = `A YAML document has more than ${MAX_DOCUMENT_LENGTH} characters; separate resources by --- or send JSON.`;
  throw new Problem('too-large', detail);
}

function check(document: Document.Parsed | Document, lines: LineCounter): void {
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw faultAt(lines, fault.pos[0], fault.message);
}

const faultAt = (lines: LineCounter, offset: number, message: string): Problem => {
  const { line, col } = lines.linePos(offset);
  return new Problem(
    'malformed-body',
    `The body is not YAML that is taken here: ${message} (line ${line}, column ${col}).`,
  );
};

/** Turns nodes into plain values. An alias stands for the very value of its anchor, so nothing is ever copied. */
class Reader {
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, unknown>();
  #aliases = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  read(node: ParsedNode | null, depth: number): unknown {
    if (node === null) return null;
    if (depth > MAX_DEPTH) throw this.#fault(node, `more than ${MAX_DEPTH} levels`);
    if (isAlias(node)) return this.#resolve(node as ParsedNode & { source: string });
    const value = isMap(node) ? this.#map(node, depth) : isSeq(node) ? this.#list(node, depth) : this.#scalar(node);
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.#anchors.set(anchor, value);
    return value;
  }

  #map(node: ParsedNode & { items: readonly { key: unknown; value: unknown }[] }, depth: number): unknown {
    const fields: Record<string, unknown> = {};
    for (const pair of node.items) {
      const key = this.#key(pair.key as ParsedNode | null, node);
      if (Object.hasOwn(fields, key))
        throw this.#fault(node, `the key ${JSON.stringify(key.slice(0, 80))} comes twice`);
      const value = this.read(pair.value as ParsedNode | null, depth + 1);
      // Defined and not assigned, so that a key `__proto__` is a plain key.
      Object.defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return fields;
  }

  #list(node: ParsedNode & { items: readonly unknown[] }, depth: number): unknown {
    return node.items.map((item) => this.read(item as ParsedNode | null, depth + 1));
  }

  #scalar(node: ParsedNode): unknown {
    const { value } = node as { value: unknown };
    if (typeof value === 'number' && !Number.isFinite(value))
      throw this.#fault(node, 'a number that JSON does not have');
    if (typeof value === 'object' && value !== null) throw this.#fault(node, 'a type that JSON does not have');
    return value;
  }

  #key(key: ParsedNode | null, map: ParsedNode): string {
    if (key === null || !isScalar(key)) throw this.#fault(key ?? map, 'a key that is not a text');
    const { source, value } = key as { source?: string; value: unknown };
    return typeof value === 'string' ? value : (source ?? String(value));
  }

  #resolve(node: ParsedNode & { source: string }): unknown {
    if (++this.#aliases > MAX_ALIASES) throw this.#fault(node, `more than ${MAX_ALIASES} aliases in one document`);
    if (!this.#anchors.has(node.source)) throw this.#fault(node, `no anchor &${node.source} before its alias`);
    return this.#anchors.get(node.source);
  }

  #fault(node: ParsedNode, message: string): Problem {
    return faultAt(this.#lines, node.range[0], message);
  }
}

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseSync, type Comment, type Node } from 'oxc-parser';

/** A declaration that users can import, with its text and its docstring. */
export interface Exported {
  readonly name: string;
  readonly node: Node;
  readonly source: Source;
}

/** A source file that has been read. */
export class Source {
  readonly path: string;
  readonly text: string;
  readonly body: readonly Node[];
  readonly #comments: readonly Comment[];

  constructor(path: string) {
    this.path = path;
    this.text = readFileSync(path, 'utf8');
    const { program, comments, errors } = parseSync(path, this.text);
    if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
    this.body = program.body as readonly Node[];
    this.#comments = comments;
  }

  /** Of a node, on one line. */
  line(node: { readonly start: number; readonly end: number }): string {
    return this.between(node.start, node.end);
  }

  between(start: number, end: number): string {
    let text = '';
    let at = start;
    for (const comment of this.#comments) {
      if (comment.start < at || comment.end > end) continue;
      text += this.text.slice(at, comment.start);
      at = comment.end;
    }
    return (text + this.text.slice(at, end)).replaceAll(/\s+/g, ' ').trim();
  }

  /** The docstring that ends where the node begins. */
  docOf(node: { readonly start: number }): string | undefined {
    const comment = this.#comments.findLast(
      ({ type, value, end }) =>
        type === 'Block' &&
        value.startsWith('*') &&
        end <= node.start &&
        /^\s*(?:export\s+(?:declare\s+)?)?$/.test(this.text.slice(end, node.start)),
    );
    if (comment === undefined) return undefined;
    const lines = comment.value.slice(1).split('\n');
    return lines
      .map((line) => line.replace(/^\s*\*? ?/, '').trimEnd())
      .join('\n')
      .trim();
  }
}

function nameIn(node: Node): string {
  if ('name' in node && typeof node.name === 'string') return node.name;
  return 'value' in node && typeof node.value === 'string' ? node.value : '';
}

/** What a module exports, its re-exports of our own files included; each name once, in the order of the module. */
export class Modules {
  readonly #sources = new Map<string, Source>();

  source(path: string): Source {
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const source = new Source(path);
    this.#sources.set(path, source);
    return source;
  }

  exportsOf(path: string): Map<string, Exported> {
    const found = new Map<string, Exported>();
    const source = this.source(path);
    for (const node of source.body) {
      if (node.type === 'ExportAllDeclaration') {
        for (const [name, one] of this.exportsOf(this.#resolve(path, node.source.value))) found.set(name, one);
      } else if (node.type === 'ExportNamedDeclaration') {
        for (const one of this.#named(node, source)) if (!found.has(one.name)) found.set(one.name, one);
      }
    }
    return found;
  }

  #named(node: Extract<Node, { type: 'ExportNamedDeclaration' }>, source: Source): Exported[] {
    const { declaration, specifiers } = node;
    if (declaration !== null) return this.#declared(declaration as Node, node, source);
    return specifiers.flatMap((specifier) => {
      const [local, name] = [nameIn(specifier.local as Node), nameIn(specifier.exported as Node)];
      const from = node.source === null ? this.#imported(source, local) : { path: node.source.value, name: local };
      if (from === undefined) throw new Error(`${source.path}: ${local} is exported and not imported`);
      // What is another package's has its own documentation.
      if (!from.path.startsWith('.')) return [];
      const one = this.exportsOf(this.#resolve(source.path, from.path)).get(from.name);
      if (one === undefined) throw new Error(`${source.path}: there is no ${from.name} in ${from.path}`);
      return [{ ...one, name }];
    });
  }

  #declared(declaration: Node, statement: Node, source: Source): Exported[] {
    if (declaration.type === 'VariableDeclaration') {
      return declaration.declarations.map((one) => ({ name: nameIn(one.id as Node), node: statement, source }));
    }
    if (!('id' in declaration) || declaration.id === null) return [];
    return [{ name: nameIn(declaration.id as Node), node: statement, source }];
  }

  #imported(source: Source, local: string): { path: string; name: string } | undefined {
    for (const node of source.body) {
      if (node.type !== 'ImportDeclaration') continue;
      for (const specifier of node.specifiers) {
        if (nameIn(specifier.local as Node) !== local || specifier.type !== 'ImportSpecifier') continue;
        return { path: node.source.value, name: nameIn(specifier.imported as Node) };
      }
    }
    return undefined;
  }

  #resolve(from: string, specifier: string): string {
    return resolve(dirname(from), specifier);
  }
}

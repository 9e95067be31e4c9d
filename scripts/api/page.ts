import type { Node } from 'oxc-parser';
import type { Exported, Source } from './exports.ts';

/** The section of a page for one export, and what of it has no docstring although users look it up. */
export interface Section {
  readonly markdown: string;
  readonly undocumented: readonly string[];
}

/** Each member of these is looked up by itself. */
const LOOKED_UP = /(?:Options|Init|Registration)$/;

export function sectionOf({ name, node, source }: Exported): Section {
  const declaration = declarationOf(node);
  const doc = source.docOf(node);
  const members = membersOf(declaration, source);
  const undocumented = members
    .filter((one) => LOOKED_UP.test(name) && one.doc === undefined)
    .map((one) => `${name}.${one.name}`);
  if (doc === undefined) undocumented.push(name);
  const lines = [`### \`${name}\``, ''];
  if (doc !== undefined) lines.push(prose(doc), '');
  lines.push('```ts', headOf(name, declaration, source), '```', '');
  for (const one of members) {
    lines.push(`- \`${one.text}\`${one.doc === undefined ? '' : ` ${prose(one.doc).replaceAll('\n', '\n  ')}`}`);
  }
  return { markdown: lines.join('\n').trimEnd(), undocumented };
}

const declarationOf = (node: Node): Node =>
  node.type === 'ExportNamedDeclaration' && node.declaration !== null ? (node.declaration as Node) : node;

interface Member {
  readonly name: string;
  readonly text: string;
  readonly doc: string | undefined;
}

function membersOf(node: Node, source: Source): Member[] {
  if (node.type === 'TSInterfaceDeclaration') return node.body.body.map((one) => member(one as Node, source));
  if (node.type === 'TSTypeAliasDeclaration') {
    const literals = typesIn(node.typeAnnotation as Node).filter((type) => type.type === 'TSTypeLiteral');
    return literals.flatMap((type) => type.members.map((one) => member(one as Node, source)));
  }
  if (node.type !== 'ClassDeclaration') return [];
  return node.body.body.flatMap((one) => {
    const key = 'key' in one ? (one.key as Node) : undefined;
    const isHidden = key?.type === 'PrivateIdentifier' || ('accessibility' in one && one.accessibility === 'private');
    return isHidden ? [] : [member(one as Node, source)];
  });
}

/** The types that an alias is made of by `&`. */
const typesIn = (type: Node): Node[] =>
  type.type === 'TSIntersectionType' ? type.types.flatMap((one) => typesIn(one as Node)) : [type];

function member(node: Node, source: Source): Member {
  const body =
    'value' in node && node.value !== null && typeof node.value === 'object' ? (node.value as Node) : undefined;
  const isMethod = body?.type === 'FunctionExpression' && body.body !== null;
  const end = isMethod ? (body.body as Node).start : node.end;
  const text = source
    .between(node.start, end)
    .replace(/^(?:override )?readonly |^override /, '')
    .replace(/;$/, '');
  const key = 'key' in node ? source.line(node.key as Node) : text;
  return { name: key, text, doc: source.docOf(node) };
}

/** The declaration without the members, which follow it one by one. */
function headOf(name: string, node: Node, source: Source): string {
  switch (node.type) {
    case 'TSInterfaceDeclaration':
      return `interface ${source.between((node.id as Node).start, node.body.start)}`;
    case 'ClassDeclaration':
      return `class ${source.between((node.id as Node).start, node.body.start)}`;
    case 'FunctionDeclaration':
      return source.between(node.start, (node.body as Node | null)?.start ?? node.end);
    case 'VariableDeclaration': {
      const one = node.declarations.find(({ id }) => 'name' in id && id.name === name);
      const value = one?.init as Node | null | undefined;
      const type = one?.id.typeAnnotation;
      if (type) return `const ${name}${source.line(type)}`;
      if (value?.type !== 'ArrowFunctionExpression') return source.line(node);
      return `const ${name} = ${source
        .between(value.start, (value.body as Node).start)
        .replace(/=>$/, '')
        .trim()}`;
    }
    case 'TSTypeAliasDeclaration': {
      const isRecord = typesIn(node.typeAnnotation as Node).some((type) => type.type === 'TSTypeLiteral');
      return isRecord ? `type ${name}` : source.line(node).replace(/;$/, '');
    }
    default:
      return source.line(node);
  }
}

/** A docstring as Markdown: `@throws` and `@returns` become sentences. */
const prose = (doc: string): string =>
  doc.replaceAll(/^@throws ([A-Z]\w*),? ?/gm, '\n**Throws** `$1`: ').replaceAll(/^@returns /gm, '\n**Returns** ');

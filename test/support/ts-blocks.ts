import { readFileSync } from 'node:fs';

/** A block of TypeScript in a page of documentation. */
export interface Block {
  /** `client-57`: the page and the line of its first line of code. */
  readonly name: string;
  readonly page: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
  /** The heading that it stands under. */
  readonly heading: string;
  readonly imports: readonly string[];
  /** Without its imports; as many lines as there were, so that what is said of a line is about that one. */
  readonly code: string;
}

const FENCE = /^```(\w*)/;

/** The `ts` blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let inside: { readonly language: string; readonly line: number; readonly lines: string[] } | undefined;
  const lines = readFileSync(page, 'utf8').split('\n');
  for (const [index, text] of lines.entries()) {
    const fence = FENCE.exec(text);
    if (inside === undefined) {
      if (fence !== null) inside = { language: fence[1] ?? '', line: index + 2, lines: [] };
      else heading = /^#+ (.+)/.exec(text)?.[1] ?? heading;
    } else if (fence === null) inside.lines.push(text);
    else {
      if (inside.language === 'ts') blocks.push(block(page, heading, inside.line, inside.lines));
      inside = undefined;
    }
  }
  return blocks;
}

const IMPORT = /^import [^;]*;$/;

function block(page: string, heading: string, line: number, lines: readonly string[]): Block {
  const name = `${page.replace(/^.*\/|\.md$/g, '').toLowerCase()}-${line}`;
  const imports = lines.filter((text) => IMPORT.test(text));
  const code = lines.map((text) => (IMPORT.test(text) ? '' : text)).join('\n');
  return { name, page, line, heading, imports, code };
}

/** What pages take for granted, and its types: in the order in which `test/acceptance/run-blocks.mjs` hands it over. */
const GIVEN: Readonly<Record<string, string>> = {
  client: `import('signalbox/client').Client`,
  orders: `import('signalbox/client').Service`,
  server: `import('node:http').Server`,
  app: `import('fastify').FastifyInstance`,
  sessionStorage: `{ getItem(name: string): string | null }`,
};

/**
 * A block as a module: what pages take for granted is given to a function around it, and may be declared anew in it. What is said of
 * line n of the module is about line n + `offset` of the page.
 */
export function moduleOf({ imports, code, line }: Block): { readonly text: string; readonly offset: number } {
  const parameters = Object.entries(GIVEN).map(([name, type]) => `${name}: ${type}`);
  const head = [...imports, `export default async function (${parameters.join(', ')}): Promise<void> {{`];
  return { text: `${head.join('\n')}\n${code}\n}}\n`, offset: line - head.length - 1 };
}

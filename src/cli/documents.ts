import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { LineCounter, parseAllDocuments } from 'yaml';
import { failure } from './errors.ts';
import { findJsonError } from './json-error.ts';

/** A resource as somebody wrote it, and where. */
export interface Document {
  readonly value: Readonly<Record<string, unknown>>;
  readonly file: string;
  /** The line that it starts on. */
  readonly line: number;
}

type Format = 'json' | 'ndjson' | 'yaml';

/** A value in a file, before it is known to be a resource. `place` says which one it is, where the line does not. */
interface Found {
  readonly value: unknown;
  readonly line: number;
  readonly place: string;
}

const FORMATS: Readonly<Record<string, Format>> = {
  '.json': 'json',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.yaml': 'yaml',
  '.yml': 'yaml',
};

/** All documents of the files, in order. A directory stands for the files of known endings in it; `-` for `stdin`. */
export async function readDocuments(paths: readonly string[], stdin: AsyncIterable<unknown>): Promise<Document[]> {
  const documents: Document[] = [];
  for (const path of paths) {
    if (path === '-') {
      documents.push(...parseDocuments(await readAll(stdin), 'standard input'));
    } else {
      for (const file of await filesOf(path)) documents.push(...parseDocuments(await readText(file), file));
    }
  }
  return documents;
}

/** The body for `POST /v1/apply`: one document a line, so that the server's pointers are the documents' places in the list. */
export const toNdjson = (documents: readonly Document[]): string =>
  documents.map((document) => `${JSON.stringify(document.value)}\n`).join('');

/** The documents in a text. The format follows from the file's ending, and where that says nothing from the text. */
export function parseDocuments(bytes: Uint8Array, file: string): Document[] {
  const text = decode(bytes, file);
  return findAll(text, file, FORMATS[extname(file).toLowerCase()]).map(({ value, line, place }) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw failure(
        `${file}:${line}: ${place} is not a resource`,
        `It is ${article(value)}; a resource is an object with a "name" such as services/iam.example.com.`,
      );
    }
    const fields = value as Record<string, unknown>;
    if (typeof fields['name'] !== 'string') {
      throw failure(
        `${file}:${line}: ${place} has no name`,
        'A resource says which one it is by its "name", its path under /v1, such as services/iam.example.com/deployments/us-east.',
      );
    }
    return { value: fields, file, line };
  });
}

function findAll(text: string, file: string, format: Format | undefined): Found[] {
  if (text.trim() === '') return [];
  if (format === 'yaml') return fromYaml(text, file);
  if (format === 'ndjson') return fromLines(text, file);
  const whole = tryJson(text);
  if (whole !== undefined) return flat(whole.value, 1, 'the document');
  const [first = ''] = text.trimStart().split('\n', 1);
  if (tryJson(first) !== undefined) return fromLines(text, file);
  return format === 'json' ? badJson(text, file, 1) : fromYaml(text, file);
}

function fromLines(text: string, file: string): Found[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const parsed = tryJson(line) ?? badJson(line, file, index + 1);
    return flat(parsed.value, index + 1, 'the line');
  });
}

function fromYaml(text: string, file: string): Found[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document, index) => {
    const where = `document ${index + 1}`;
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) {
      const at = error.linePos?.[0];
      throw failure(
        `${file}${at === undefined ? '' : `:${at.line}:${at.col}`}: ${where} is not YAML`,
        error.message.replace(/ at line \d[^]*$/, '.'),
      );
    }
    const { line } = lineCounter.linePos(document.contents?.range?.[0] ?? document.range[0]);
    try {
      const value: unknown = document.toJS();
      // What stands between two separators may be nothing but a comment.
      return value === null ? [] : flat(value, line, where);
    } catch (error_) {
      throw failure(`${file}:${line}: ${where} cannot be read`, `${(error_ as Error).message}.`);
    }
  });
}

/** A list stands for its elements. */
const flat = (value: unknown, line: number, place: string): Found[] =>
  Array.isArray(value)
    ? value.map((element: unknown, index) => ({ value: element, line, place: `entry ${index + 1} of ${place}` }))
    : [{ value, line, place }];

function tryJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function badJson(text: string, file: string, firstLine: number): never {
  const { line, column, message } = findJsonError(text);
  throw failure(`${file}:${line + firstLine - 1}:${column}: this is not JSON`, `There is ${message}.`);
}

function article(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? `the text ${JSON.stringify(value.slice(0, 40))}` : `a ${typeof value}`;
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw failure(`${file} is not text in UTF-8`);
  }
}

async function filesOf(path: string): Promise<string[]> {
  const info = await stat(path).catch((error: unknown) => cannotRead(path, error));
  if (!info.isDirectory()) return [path];
  const names = await readdir(path);
  const files = names.filter((name) => !name.startsWith('.') && extname(name).toLowerCase() in FORMATS).sort();
  if (files.length === 0) throw failure(`${path} holds no files that end in ${Object.keys(FORMATS).join(', ')}`);
  return files.map((name) => join(path, name));
}

const readText = (file: string): Promise<Uint8Array> =>
  readFile(file).catch((error: unknown) => cannotRead(file, error));

function cannotRead(path: string, error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : message;
  throw failure(`${path}: ${reason}`);
}

async function readAll(stream: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}

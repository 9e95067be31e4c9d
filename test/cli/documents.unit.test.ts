import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parseDocuments, readDocuments, toNdjson } from '../../src/cli/documents.ts';
import { CliError } from '../../src/cli/errors.ts';
import { findJsonError } from '../../src/cli/json-error.ts';

const parse = (text: string, file: string) =>
  parseDocuments(Buffer.from(text), file).map(({ value, line }) => [line, value['name']]);

function problemOf(text: string | Uint8Array, file: string): string {
  try {
    parseDocuments(Buffer.from(text), file);
  } catch (error) {
    if (error instanceof CliError) return `${error.problem.title} | ${error.problem.detail ?? ''}`;
    throw error;
  }
  throw new Error('was read without a problem');
}

const STDIN = [Buffer.from('name: regions/'), Buffer.from('from-stdin')];
const read = async (...paths: string[]) =>
  (await readDocuments(paths, Readable.from(STDIN))).map(({ value }) => value['name']);

describe('formats', () => {
  test('JSON: an object, or a list of them', () => {
    expect(parse('{"name":"regions/a1"}', 'x.json')).toEqual([[1, 'regions/a1']]);
    expect(parse('[{"name":"regions/a1"},\n{"name":"regions/a2"}]', 'x.json')).toEqual([
      [1, 'regions/a1'],
      [1, 'regions/a2'],
    ]);
  });

  test('NDJSON: one a line, empty lines between them', () => {
    expect(parse('{"name":"regions/a1"}\n\n{"name":"regions/a2"}\r\n', 'x.ndjson')).toEqual([
      [1, 'regions/a1'],
      [3, 'regions/a2'],
    ]);
  });

  test('YAML: several documents, comments, empty ones', () => {
    const text = '# first\nname: regions/a1\n---\n---\n# second\nname: regions/a2\ntitle: two\n';
    expect(parse(text, 'x.yaml')).toEqual([
      [2, 'regions/a1'],
      [6, 'regions/a2'],
    ]);
  });

  test('YAML: a list of resources is so many resources', () => {
    expect(parse('- name: regions/a1\n- name: regions/a2\n', 'x.yml').map(([, name]) => name)).toEqual([
      'regions/a1',
      'regions/a2',
    ]);
  });

  test.each([
    ['{"name":"regions/a1"}', 'JSON'],
    ['{"name":"regions/a1"}\n{"name":"regions/a2"}', 'NDJSON'],
    ['name: regions/a1', 'YAML'],
    ['{name: regions/a1}', 'YAML in flow style'],
    ['\ufeffname: regions/a1', 'with a byte order mark'],
  ])('what the name of the file does not say, the text does: %j is %s', (text) => {
    expect(parse(text, 'standard input')[0]?.[1]).toBe('regions/a1');
  });

  test('an empty file holds nothing', () => {
    for (const file of ['x.json', 'x.yaml', 'x.ndjson', '-']) expect(parse(' \n\n', file)).toEqual([]);
    expect(parse('# nothing\n---\n', 'x.yaml')).toEqual([]);
  });

  test('what is sent has one line a document', () => {
    const documents = parseDocuments(
      Buffer.from('name: regions/a1\ntitle: "A\\nB"\n---\nname: regions/a2\n'),
      'x.yaml',
    );
    expect(toNdjson(documents)).toBe('{"name":"regions/a1","title":"A\\nB"}\n{"name":"regions/a2"}\n');
  });
});

describe('errors say where', () => {
  test.each([
    [
      '{"name": "regions/a1",\n  "title": }',
      'x.json',
      'x.json:2:12: this is not JSON | There is "}" where a value should be.',
    ],
    [
      '{"name":"regions/a1"}\n{"name":}',
      'x.ndjson',
      'x.ndjson:2:9: this is not JSON | There is "}" where a value should be.',
    ],
    ['{"name":"regions/a1"}\n{"name":}', 'x.json', 'x.json:2:9: this is not JSON'],
    ['name: regions/a1\n---\nname: "a\n', 'x.yaml', 'x.yaml:4:1: document 2 is not YAML | Missing closing "quote'],
    ['name: regions/a1\nname: regions/a2\n', 'x.yaml', 'x.yaml:2:1: document 1 is not YAML | Map keys must be unique.'],
    ['name: *nowhere\n', 'x.yaml', 'x.yaml:1'],
    ['name: regions/a1\n---\n- 1\n', 'x.yaml', 'x.yaml:3: entry 1 of document 2 is not a resource | It is a number;'],
    ['just text', 'x.yaml', 'x.yaml:1: document 1 is not a resource | It is the text "just text";'],
    ['[{"title":"x"}]', 'x.json', 'x.json:1: entry 1 of the document has no name'],
    ['null', 'x.json', 'x.json:1: the document is not a resource | It is null;'],
  ])('%j', (text, file, expected) => {
    expect(problemOf(text, file)).toContain(expected);
  });

  test('bytes that are not UTF-8', () => {
    expect(problemOf(Buffer.from([0x6e, 0xff, 0xfe]), 'x.yaml')).toContain('x.yaml is not text in UTF-8');
  });

  test('an alias bomb is refused rather than unfolded', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
    ].join('\n');
    expect(problemOf(bomb, 'x.yaml')).toContain('x.yaml:1: document 1 cannot be read | Excessive alias count');
  });
});

describe('findJsonError', () => {
  test.each([
    ['{"a":1,}', 1, 8, '"}" where a key in double quotes should be'],
    ["{'a':1}", 1, 2, '"\'" where a key in double quotes should be'],
    ['{"a" 1}', 1, 6, '"1" where ":" should be'],
    ['[1 2]', 1, 4, '"2" where "," or "]" should be'],
    ['[1,\n2', 2, 2, 'the end of the text where "," or "]" should be'],
    ['"abc\n', 1, 1, 'a string that is not closed'],
    ['"a\\x"', 1, 3, 'an escape that JSON does not know'],
    ['"a\tb"', 1, 3, 'a control character in a string'],
    ['{} {}', 1, 4, '"{" after the end of the value'],
    ['01', 1, 2, '"1" after the end of the value'],
    ['', 1, 1, 'the end of the text where a value should be'],
  ])('%j', (text, line, column, message) => {
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    expect(findJsonError(text)).toEqual({ line, column, message });
  });
});

describe('files', () => {
  let dir: string;
  const inDir = (name: string) => join(dir, name);
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'signalbox-cli-'));
    await writeFile(inDir('b.yaml'), 'name: regions/b1');
    await writeFile(inDir('a.json'), '{"name":"regions/a1"}');
    await writeFile(inDir('README.md'), 'not a resource');
    await mkdir(inDir('empty'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('in the order given; a directory by name; - is standard input', async () => {
    expect(await read(inDir('b.yaml'), '-', dir)).toEqual([
      'regions/b1',
      'regions/from-stdin',
      'regions/a1',
      'regions/b1',
    ]);
  });

  test('missing files and directories with nothing in them are said', async () => {
    await expect(read(inDir('c.yaml'))).rejects.toThrow('c.yaml: there is no such file');
    await expect(read(inDir('empty'))).rejects.toThrow('empty holds no files that end in .json');
  });
});

/** Why a migration is safe beside the release before it, though it does what such a migration should not. */
const MARKER = /^--[ \t]*Safe beside the previous release:[ \t]*\S.*$/m;

export const isMarkedSafe = (sql: string): boolean => MARKER.test(sql);

/**
 * The statements of migrations that a node of the release before may trip over while it goes on. They are told by the words
 * that they begin with: what is not known to be harmless is not. A table that these migrations make is nobody's concern yet.
 */
export function incompatible(migrations: readonly string[]): string[] {
  const own = new Set<string>();
  return migrations.flatMap((sql) => statementsOf(sql).filter((statement) => !isHarmless(statement, own)));
}

/** A name, with its schema or without. */
const NAME = String.raw`((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))*)`;
const CREATES_TABLE = new RegExp(String.raw`^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?${NAME}`, 'i');
const ALTERS_TABLE = new RegExp(String.raw`^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?${NAME} (.*)$`, 'i');
const WRITES_TABLE = new RegExp(
  String.raw`^(?:INSERT INTO|UPDATE(?: ONLY)?|DELETE FROM(?: ONLY)?|TRUNCATE(?: TABLE)?|DROP TABLE(?: IF EXISTS)?|CREATE UNIQUE INDEX .* ON(?: ONLY)?) ${NAME}(?! ?,)`,
  'i',
);
const HARMLESS = /^(?:CREATE INDEX|CREATE TYPE|CREATE SEQUENCE|COMMENT ON|SELECT 1$)/i;
const HARMLESS_ACTION =
  /^(?:ADD (?:COLUMN )?(?!CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY|EXCLUDE)|ALTER (?:COLUMN )?(?:"[^"]+"|\w+) SET DEFAULT )/i;
const BINDS = /\b(?:CHECK|UNIQUE|REFERENCES|PRIMARY KEY)\b/i;

function isHarmless(statement: string, own: Set<string>): boolean {
  const created = CREATES_TABLE.exec(statement)?.[1];
  if (created !== undefined) {
    own.add(nameOf(created));
    return refersOnlyTo(own, statement);
  }
  const [, altered = '', actions = ''] = ALTERS_TABLE.exec(statement) ?? [];
  if (altered !== '') {
    if (own.has(nameOf(altered))) return refersOnlyTo(own, statement);
    return splitOutside(actions, ',').every(isHarmlessAction);
  }
  const written = WRITES_TABLE.exec(statement)?.[1];
  return written === undefined ? HARMLESS.test(statement) : own.has(nameOf(written));
}

/** Of a table that is there already: what a node that does not know of it neither reads, nor has to write, nor is bound by. */
function isHarmlessAction(action: string): boolean {
  if (!HARMLESS_ACTION.test(action)) return false;
  const binds = BINDS.test(action) || (/\bNOT NULL\b/i.test(action) && !/\bDEFAULT\b/i.test(action));
  return !binds;
}

/** A foreign key binds the table to which it leads as well: what is referred to cannot be deleted. */
function refersOnlyTo(own: ReadonlySet<string>, statement: string): boolean {
  const references = statement.matchAll(new RegExp(String.raw`\bREFERENCES ${NAME}`, 'gi'));
  return [...references].every(([, table = '']) => own.has(nameOf(table)));
}

const nameOf = (name: string): string => name.replace(/^"?public"?\./i, '').replaceAll('"', '');

/** Without comments, and with single spaces. A text is left as '', and so what it says is no word of SQL. */
function statementsOf(sql: string): string[] {
  const bare = sql
    .replaceAll(/'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\//g, (found) => (found.startsWith("'") ? "''" : ' '))
    .replaceAll(/\s+/g, ' ');
  return splitOutside(bare, ';').filter((statement) => statement !== '');
}

/** Splits where the separator stands in no parentheses. */
function splitOutside(text: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === separator && depth === 0) parts.push('');
    else parts.push(`${parts.pop()}${character}`);
  }
  return parts.map((part) => part.trim());
}

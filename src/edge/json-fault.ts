type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

/** Where a text stops being JSON, as an index; its length when it only ends too early. For texts that are not JSON. */
export function findJsonFault(text: string): number {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let at = 0;
  for (;;) {
    while (at < text.length && ' \t\r\n'.includes(text[at] as string)) at++;
    const char = text[at];
    if (char === undefined) return at;
    const closes = char === '}' ? '{' : char === ']' ? '[' : undefined;
    if (closes !== undefined) {
      const empty = expected === (closes === '{' ? 'key or }' : 'value or ]');
      if (open.at(-1) !== closes || !(empty || expected === ', or end')) return at;
      open.pop();
      expected = ', or end';
      at++;
    } else if (expected === ', or end') {
      if (char !== ',' || open.length === 0) return at;
      expected = open.at(-1) === '{' ? 'key' : 'value';
      at++;
    } else if (expected === ':') {
      if (char !== ':') return at;
      expected = 'value';
      at++;
    } else if (char === '{' || char === '[') {
      if (expected.startsWith('key')) return at;
      open.push(char);
      expected = char === '{' ? 'key or }' : 'value or ]';
      at++;
    } else {
      const isKey = expected.startsWith('key');
      const end = char === '"' ? stringEnd(text, at) : isKey ? -at : literalEnd(text, at);
      if (end <= 0) return -end;
      at = end;
      expected = isKey ? ':' : ', or end';
    }
  }
}

/** The index after the string that begins here, or minus the index of what is wrong in it. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '"') return at + 1;
    if (char < ' ') return -at;
    if (char !== '\\') continue;
    at++;
    const escape = text[at] ?? '';
    if (escape === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) at += 4;
    else if (!'"\\/bfnrt'.includes(escape) || escape === '') return -at;
  }
  return -text.length;
}

const LITERAL = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-])/y;

function literalEnd(text: string, start: number): number {
  LITERAL.lastIndex = start;
  return LITERAL.test(text) ? LITERAL.lastIndex : -start;
}

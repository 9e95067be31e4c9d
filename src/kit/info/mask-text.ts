import { isSecretName } from './secret-names.ts';

export const MASKED = '[masked]';

/** Texts that are longer are cut before they are looked at. */
const MAX_TEXT = 10_000;

/** What is a secret by its look, wherever it stands. */
const LOOKS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*(?:PRIVATE KEY|SECRET)[A-Z ]*-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/g,
  // Tokens: JWT and JWE, Signalbox's, and those of well-known houses.
  /\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*/g,
  /\b(?:sbr|ghp|gho|ghs|ghu|ghr|github_pat|glpat|xox[a-z]|sk|rk|pk|npm|AKIA|ASIA|AIza|ya29)[_-]?[\w.-]{16,}/g,
];
const SCHEMES = /\b(Bearer|Basic|Digest|Negotiate|ApiKey|Token)\s+[^\s,;"']+/gi;
/** The last @ of a word ends the user info: a password may have one in it that was not encoded. */
const USER_INFO = /(?:(?<![a-z\d+.-])([a-z][a-z\d+.-]*:))?\/\/[^\s]*@/gi;
/** The same without a scheme, as `user:password@tcp(host)` has it. */
const BARE_USER_INFO = /(?<![\w.%+-])[\w.%+-]+:(?!\/\/)[^\s@]+@/g;
/** `--name value`, in one text. */
const FLAG = /(--?[\w.-]+)(\s+)("[^"]*"|'[^']*'|\S+)/g;
/** What a user and a password follow, as curl has it. */
const USER_FLAG = /^(?:-u|-U|--user|--proxy-user)$/;
const USER_FLAGS = /((?:^|\s)(?:-u|-U|--user|--proxy-user)[\s=]*)("[^"]*:[^"]*"|'[^']*:[^']*'|[^\s:]+:\S+)/g;
/** Addresses that are secrets themselves, since who knows one may post there. */
const HOOKS = /\b(hooks\.slack\.com|discord(?:app)?\.com\/api\/webhooks|[\w-]+\.webhook\.office\.com)\/[^\s"'<>]+/gi;
/** The name of a pair: `name=`, `name: `, `"name":`, also where quotes are escaped. */
const NAME = /(?<![\w.$[\]%-])([\w.$[\]%-]+)\\*["']?\s*[=:]\s*/g;
/**
 * Its value, where it is a secret: quoted, in braces, or up to what separates pairs in URLs, connection strings and command lines.
 * What a comma or a blank separates is taken for a part of it, unless another pair or flag begins there: too much rather than too
 * little.
 */
const VALUE =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\{[^}]*\}[^\s;&,]*|[^\s;&,]+(?:[ \t,]+(?!["']?[\w.$[\]%-]{1,100}\\*["']?\s*[=:]|--?[a-z])[^\s;&,]+)*/iy;

/** A text without the secrets that can be told from it: in URLs, connection strings, headers, command lines, JSON. */
export function maskText(text: string, more: readonly RegExp[] = []): string {
  let masked = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  for (const look of LOOKS) masked = masked.replaceAll(look, MASKED);
  masked = masked.replaceAll(USER_INFO, (_, scheme: string | undefined) => `${scheme ?? ''}//${MASKED}@`);
  masked = masked.replaceAll(BARE_USER_INFO, `${MASKED}@`);
  masked = masked.replaceAll(FLAG, (all: string, name: string, between: string) =>
    isSecretName(name, more) ? `${name}${between}${MASKED}` : all,
  );
  masked = masked.replaceAll(SCHEMES, (_, scheme: string) => `${scheme} ${MASKED}`);
  masked = masked.replaceAll(USER_FLAGS, (_, flag: string) => `${flag}${MASKED}`);
  masked = masked.replaceAll(HOOKS, (_, host: string) => `${host}/${MASKED}`);
  return maskPairs(masked, more);
}

/** Whether what follows in a list of arguments is a user and a password. */
export const isUserFlag = (argument: unknown): boolean => typeof argument === 'string' && USER_FLAG.test(argument);

/** The value of a pair that is no secret is looked through as all else: a URL has pairs in it that are. */
function maskPairs(text: string, more: readonly RegExp[]): string {
  const [names, value] = [new RegExp(NAME), new RegExp(VALUE)];
  let shown = '';
  let from = 0;
  for (let found = names.exec(text); found !== null; found = names.exec(text)) {
    if (!isSecretName(decoded(found[1] ?? ''), more)) continue;
    value.lastIndex = names.lastIndex;
    if (!value.test(text)) continue;
    shown += text.slice(from, names.lastIndex) + MASKED;
    from = value.lastIndex;
    names.lastIndex = from;
  }
  return shown + text.slice(from);
}

const decoded = (name: string): string =>
  name.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

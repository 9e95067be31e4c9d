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
const USER_INFO = /([a-z][a-z\d+.-]*:)?\/\/[^\s]*@/gi;
/** The same without a scheme, as `user:password@tcp(host)` has it. */
const BARE_USER_INFO = /[\w.%+-]+:(?!\/\/)[^\s@]+@/g;
/** `--name value`, in one text. */
const FLAG = /(--?[\w.-]+)(\s+)("[^"]*"|'[^']*'|\S+)/g;
/** `name=value` and `name: value`, the value up to what separates pairs in URLs, connection strings and command lines. */
const PAIR = /([\w.$[\]%-]{1,100})(["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\{[^}]*\}|[^\s;&,]+)/g;

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
  return masked.replaceAll(PAIR, (pair: string, name: string, between: string) =>
    isSecretName(decoded(name), more) ? `${name}${between}${MASKED}` : pair,
  );
}

const decoded = (name: string): string =>
  name.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

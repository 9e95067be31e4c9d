/**
 * What a secret may be called, in part or as a word of its own. It takes too much rather than too little: a name that is masked for
 * nothing harms nobody.
 */
const PARTS =
  /pass(?:word|wd|phrase|code)|secret|token|credential|authori[sz]ation|authenticat|key|private|signature|connectionstring|connstr|cookie|session|assertion|bearer|otp/;
const WORDS: ReadonlySet<string> = new Set('pass pwd pw psk pin auth sig sas dsn salt jwt pat csrf sid'.split(' '));
/** Words with a `key` or `pass` in them that opens nothing. */
const HARMLESS: ReadonlySet<string> = new Set(
  'monkey chaosmonkey turnkey hockey keyboard keynote bypass compass encompass overpass underpass surpass trespass'.split(
    ' ',
  ),
);

/** Whether what stands under this name is masked; `more`: patterns of the service's own. */
export function isSecretName(name: string, more: readonly RegExp[] = []): boolean {
  const words = wordsOf(name).filter((word) => !HARMLESS.has(word));
  if (PARTS.test(words.join('')) || words.some((word) => WORDS.has(word) || word.endsWith('pass'))) return true;
  // A pattern with the flag g or y remembers where it was.
  return more.some((pattern) => new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')).test(name));
}

/** `dbPassword`, `DB_PASSWORD` and `DBPassword` are db and password. */
const wordsOf = (name: string): string[] =>
  name
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u);

/**
 * What a secret may be called, in part or as a word of its own. It takes too much rather than too little: a name that is masked for
 * nothing harms nobody.
 */
const PARTS =
  /pass(?:word|wd|phrase|code)|secret|token|credential|authori[sz]ation|authenticat|(?<!mon|tur|don|hoc|joc)key(?!board|note|stone|pad)|private|signature|connectionstring|connstr|cookie|session|assertion|bearer|otp/i;
const WORDS: ReadonlySet<string> = new Set('pass pwd pw psk pin auth sig sas dsn salt jwt pat csrf sid'.split(' '));

/** Whether what stands under this name is masked; `more`: patterns of the service's own. */
export function isSecretName(name: string, more: readonly RegExp[] = []): boolean {
  const plain = name.replaceAll(/[^\p{L}\p{N}]/gu, '');
  if (PARTS.test(plain) || PARTS.test(name)) return true;
  if (wordsOf(name).some((word) => WORDS.has(word))) return true;
  // A pattern with the flag g remembers where it was.
  return more.some((pattern) => new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')).test(name));
}

const wordsOf = (name: string): string[] =>
  name
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u);

import { SignalboxError } from './errors.ts';

/** What can stand in a header. Anything else would be shown by whoever refuses to send it. */
const ONE_WORD = /^[\x21-\x7e]+$/;

/** Whether a text is a token as it is sent: one word of letters, digits and signs. */
export const isAccessToken = (text: string): boolean => ONE_WORD.test(text);

/**
 * The token in what was given, without the space around it. `where` it is from, in words.
 * @throws SignalboxError `unauthorized`, which never says what was given: it may be most of a token.
 */
export function accessToken(given: unknown, where: string): string {
  const token = typeof given === 'string' ? given.trim() : undefined;
  if (token === '') throw new SignalboxError('unauthorized', `${where} is empty.`);
  if (token !== undefined && isAccessToken(token)) return token;
  throw new SignalboxError(
    'unauthorized',
    `${where} is no access token, which is one word of letters, digits and signs.`,
  );
}

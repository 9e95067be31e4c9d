/** What of a setting in JSON is not as it has to be; its message ends the sentence "it is not right: ...". */
export class Fault extends Error {}

export type Raw = Readonly<Record<string, unknown>>;

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** What could be changed on the way to here would let anyone in. */
export function isSecureUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, hash } = new URL(text);
  if (username !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackName(hostname));
}

/** As the host of a URL is written. */
export const isLoopbackName = (hostname: string): boolean =>
  /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])$/.test(hostname);

export function urlAt(value: unknown, where: string): string {
  if (isText(value) && isSecureUrl(value)) return value;
  throw new Fault(`${where} must be a URL that begins with https://, or with http:// on this machine`);
}

export function textAt(value: unknown, where: string): string {
  if (isText(value)) return value;
  throw new Fault(`${where} must be a text`);
}

export function objectAt(value: unknown, where: string, known?: readonly string[]): Raw {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Fault(`${where} must be an object`);
  const stray = known === undefined ? undefined : Object.keys(value).find((key) => !known.includes(key));
  if (stray === undefined) return value as Raw;
  throw new Fault(`${where}/${stray.slice(0, 80)} is not known; there are ${known?.join(', ')}`);
}

export function listAt(value: unknown, where: string): readonly string[] {
  if (Array.isArray(value) && value.every(isText)) return value;
  throw new Fault(`${where} must be a list of texts`);
}

/** A text stands for a list of it alone. */
export function someAt(value: unknown, where: string): readonly string[] {
  const list = isText(value) ? [value] : value;
  if (Array.isArray(list) && list.length > 0 && list.every(isText)) return list;
  throw new Fault(`${where} must be a text or a list of texts, at least one`);
}

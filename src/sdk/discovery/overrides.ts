import { SignalboxError } from '../errors.ts';

/** Addresses that a developer has written down for a service, in place of those that Signalbox knows. */
export interface Override {
  /** Where it is written: an option, or a variable of the environment. */
  readonly from: string;
  readonly urls: readonly URL[];
}

/** By the id of a service: one URL, several, or several in one text with commas between them. */
export type Overrides = Readonly<Record<string, string | readonly string[]>>;

/** Signalbox's own address, which is no instance of anything. */
const OWN = 'SIGNALBOX_URL';

/** The variables that override a service, the first that is set counts: `ORDERS_EXAMPLE_COM_URL`, then `ORDERS_URL`. */
export function overrideVariables(id: string): string[] {
  return [...new Set([variableOf(id), variableOf(id.split('.')[0] ?? id)])].filter((name) => name !== OWN);
}

const variableOf = (text: string): string => `${text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`;

/**
 * What overrides a service: the option before the environment. Undefined where nothing does; an empty text is nothing.
 * @throws SignalboxError `invalid-options` for what is not a list of URLs of a scheme, a host and a port.
 */
export function overrideOf(
  id: string,
  overrides: Overrides,
  env: Readonly<Record<string, string | undefined>>,
): Override | undefined {
  const written = Object.hasOwn(overrides, id) ? overrides[id] : undefined;
  if (written !== undefined) return read(`overrides[${JSON.stringify(id)}]`, written);
  for (const name of overrideVariables(id)) {
    const value = env[name];
    if (value !== undefined && value.trim() !== '') return read(name, value);
  }
  return undefined;
}

function read(from: string, value: string | readonly string[]): Override {
  const texts = (typeof value === 'string' ? value.split(',') : value).map((text) => text.trim());
  if (texts.length === 0) throw wrong(from, 'is empty');
  return { from, urls: texts.map((text) => readUrl(from, text)) };
}

function readUrl(from: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // `localhost:3000` is a URL too, of the scheme `localhost:`.
  if (url === undefined || url.hostname === '')
    throw wrong(from, `has ${JSON.stringify(shown(text))}, which is no URL`);
  if (url.username !== '' || url.password !== '') throw wrong(from, 'has a user name or a password in it');
  if ((url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.hash !== '') {
    throw wrong(from, `has ${JSON.stringify(text)}, with more than a scheme, a host and a port`);
  }
  if (portOf(url) === 0) throw wrong(from, `has ${JSON.stringify(text)}, without a port`);
  return url;
}

/** 0 where it is not said, and the scheme does not tell. */
export function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : protocol === 'http:' ? 80 : 0;
}

/** A password is not to get into logs, not even with a mistake before it. */
const shown = (text: string): string => text.replace(/\/\/[^/]*@/, '//…@').slice(0, 200);

const wrong = (from: string, what: string): SignalboxError =>
  new SignalboxError(
    'invalid-options',
    `${from} ${what}. It takes URLs such as http://localhost:3000, with commas between them.`,
  );

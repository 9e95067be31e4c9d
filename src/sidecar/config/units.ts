import type { Unit } from '../../config-units.ts';
import { networkOf } from '../ingress/peers.ts';
import { isServiceId, originOf, type PrefixRoute } from '../egress/route.ts';

/** Where the file has a list of objects, a variable has the same list in JSON. */
function listOf<T>(expects: string, one: (value: unknown, at: string) => T | string): Unit<readonly T[]> {
  const readAll = (text: string): readonly T[] | string => {
    const value = parsed(text);
    if (!Array.isArray(value)) return 'it is no list';
    const all: T[] = [];
    for (const [index, entry] of value.entries()) {
      const read = one(entry, `[${index}]`);
      if (typeof read === 'string') return read;
      all.push(read);
    }
    return all;
  };
  return {
    expects,
    read: (text) => {
      const all = readAll(text);
      return typeof all === 'string' ? undefined : all;
    },
    fault: (text) => {
      const all = readAll(text);
      return typeof all === 'string' ? all : undefined;
    },
    write: (value) => JSON.stringify(value),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const PREFIX = /^\/(?:[^\s?#;%/]+(?:\/[^\s?#;%/]+)*)?$/;
const ROUTE_FIELDS = ['prefix', 'service', 'environment', 'version', 'protocol', 'strip'];

export const routes = listOf<PrefixRoute>(
  'a list of routes, each with prefix and service, and environment, version, protocol and strip where they are needed',
  (value, at) => {
    const fault = wrongFields(value, ROUTE_FIELDS, at);
    if (fault !== undefined) return fault;
    const { prefix, service, strip = true, ...rest } = value as Readonly<Record<string, unknown>>;
    if (typeof prefix !== 'string' || !PREFIX.test(prefix))
      return `${at}.prefix: a path such as /orders, without / at its end`;
    if (typeof service !== 'string' || !isServiceId(service))
      return `${at}.service: the id of a service, such as orders.example.com`;
    if (typeof strip !== 'boolean') return `${at}.strip: true or false`;
    const [wrong] = Object.entries(rest).filter(([, text]) => typeof text !== 'string');
    if (wrong !== undefined) return `${at}.${wrong[0]}: a text`;
    return { prefix, service, strip, ...rest };
  },
);

export interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUri?: string;
}

export const issuers = listOf<Issuer>(
  'a list of issuers, each with issuer and audience, and jwksUri where it is needed',
  (value, at) => {
    const fault = wrongFields(value, ['issuer', 'audience', 'jwksUri'], at);
    if (fault !== undefined) return fault;
    const { issuer, audience, jwksUri } = value as Readonly<Record<string, unknown>>;
    if (typeof issuer !== 'string' || !URL.canParse(issuer)) return `${at}.issuer: the URL of an issuer`;
    if (typeof audience !== 'string' || audience === '') return `${at}.audience: whom its tokens are for`;
    if (jwksUri === undefined) return { issuer, audience };
    return typeof jwksUri === 'string' && URL.canParse(jwksUri)
      ? { issuer, audience, jwksUri }
      : `${at}.jwksUri: a URL`;
  },
);

function wrongFields(value: unknown, known: readonly string[], at: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${at}: fields and values`;
  const [unknown] = Object.keys(value).filter((key) => !known.includes(key));
  return unknown === undefined ? undefined : `${at}.${unknown}: there are ${known.join(', ')}`;
}

/** Between commas in a variable, a list in the file. */
function several<T>(expects: string, one: (text: string) => T | undefined): Unit<readonly T[]> {
  return {
    expects: `${expects}, several in a list, or between commas`,
    read: (text) => {
      const all = text.split(',').map((part) => one(part.trim()));
      return all.every((value) => value !== undefined) ? all : undefined;
    },
    write: (value) => value.join(','),
  };
}

/** Schemes, hosts and ports alone. */
export const origins = several('an address such as https://10.0.4.17:8443', (text) => originOf(text) ?? undefined);

export const networks = several('an address or a network such as 10.0.4.17 or 10.0.0.0/8', (text) =>
  networkOf(text) === undefined ? undefined : text,
);

export const paths = several('a path such as /adm', (text) => (PREFIX.test(text) && text !== '/' ? text : undefined));

export const urls = several('a URL that begins with http:// or https://', (text) =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text.replace(/\/+$/, '') : undefined,
);

export const origin: Unit<string> = {
  expects: 'an address such as http://127.0.0.1:8080',
  read: (text) => originOf(text) ?? undefined,
  write: String,
};

export const serviceId: Unit<string> = {
  expects: 'the id of a service, such as orders.example.com',
  read: (text) => (isServiceId(text) ? text : undefined),
  write: String,
};

export const pairs: Unit<Readonly<Record<string, string>>> = {
  expects: 'names and values, in a variable as name=value between commas',
  read: (text) => {
    const all = text.split(',').map((pair) => /^\s*([\w./-]{1,63})\s*=\s*([^,]*?)\s*$/.exec(pair));
    if (all.some((match) => match === null)) return undefined;
    return Object.fromEntries(all.map((match) => [match?.[1] ?? '', match?.[2] ?? '']));
  },
  write: (value) =>
    Object.entries(value)
      .map(([name, text]) => `${name}=${text}`)
      .join(','),
};
